package sandbox

// genie is the Genie API (contract genie.md).
type genie struct {
	w   *Workspace
	all []*genieSpace
}

func addGenie(w *Workspace) error {
	w.genie = &genie{w: w, all: seedSpaces()}
	return nil
}

// space returns nil for an unknown id.
func (g *genie) space(id string) *genieSpace {
	for _, s := range g.all {
		if s.id == id {
			return s
		}
	}
	return nil
}
