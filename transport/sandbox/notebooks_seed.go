package sandbox

import (
	"maps"
	"slices"
)

// plant builds the seeded tree: it runs once, before the first handler.
func (nb *notebooks) plant() {
	nb.mu.Lock()
	defer nb.mu.Unlock()
	early := seeded.AddDate(0, -14, 0)
	folder := func(path string) *node[item] {
		n, err := nb.tree.mkdirs(path, func(n *node[item]) { n.value = nb.newItem(item{kind: kindDirectory}, early) })
		if err != nil {
			panic("seed folder " + path + ": " + err.Error()) // a mistake in the seeds; any test finds it
		}
		return n
	}
	nb.tree.root.value = nb.newItem(item{kind: kindDirectory}, early)
	for _, home := range nb.homes() {
		folder("/Users/" + home)
	}
	for _, path := range []string{"/Shared", "/Repos/" + anaName} {
		folder(path)
	}
	repo := folder("/Repos/" + anaName + "/retail-pipelines")
	repo.value.kind = kindRepo
	for _, s := range append(slices.Clone(seedNotebooks), seedJupyter) {
		dir, name := dirBase(s.path)
		v := item{kind: kindNotebook, language: s.language, source: sourceOf(s.language, s.cells), jupyter: s.path == seedJupyter.path}
		folder(dir).put(name, nb.newItem(v, seeded.AddDate(0, 0, -s.daysAgo)))
	}
	for i, path := range slices.Sorted(maps.Keys(seedWorkspaceFiles)) {
		dir, name := dirBase(path)
		v := item{kind: kindFile, content: nb.blobs.bytes([]byte(seedWorkspaceFiles[path]))}
		folder(dir).put(name, nb.newItem(v, seeded.AddDate(0, 0, -10*(i+1))))
	}
}

// homes are the users' names; service principals have no home.
func (nb *notebooks) homes() (names []string) {
	p := nb.w.people
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, m := range p.members {
		if !m.servicePrincipal {
			names = append(names, m.name)
		}
	}
	return names
}
