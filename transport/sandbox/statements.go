package sandbox

type statements struct{}

func addStatements(w *Workspace) error {
	w.statements = &statements{}
	return nil
}
