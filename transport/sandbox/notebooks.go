package sandbox

type notebooks struct{}

func addNotebooks(w *Workspace) error {
	w.notebooks = &notebooks{}
	return nil
}
