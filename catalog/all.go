package catalog

import "sync"

// All lists the rows that are tools, in the order of the book.
func All() []*Row {
	var rows []*Row
	for _, row := range declared() {
		if !row.Inner {
			rows = append(rows, row)
		}
	}
	return rows
}

// Inner lists the rows that other tools call on the way.
func Inner() []*Row {
	var rows []*Row
	for _, row := range declared() {
		if row.Inner {
			rows = append(rows, row)
		}
	}
	return rows
}

// Find returns the tool row of that name, or nil.
func Find(name string) *Row { return byName()[name] }

var byName = sync.OnceValue(func() map[string]*Row {
	rows := make(map[string]*Row, 64)
	for _, row := range All() {
		rows[row.Name] = row
	}
	return rows
})

// declared is the book itself. The lists stand beside their rows, one per group.
func declared() []*Row {
	var rows []*Row
	for _, group := range [][]*Row{
		jobRows(), clusterRows(), warehouseRows(), statementRows(), unityRows(), fileRows(), workspaceRows(),
		secretRows(), principalRows(), supervisorRows(), agentRows(), runsBackendRows(), managedRows(),
	} {
		rows = append(rows, group...)
	}
	return rows
}
