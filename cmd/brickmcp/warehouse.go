package main

// defaultWarehouse is the id of the SQL warehouse for queries that name none: that
// of the flag, or else of the environment or the profile. It is asked at a call and
// not at the start, which reads no file.
func (c *config) defaultWarehouse(w *workspace) func() string {
	return func() string {
		if c.warehouse != "" {
			return c.warehouse
		}
		id, err := w.credential.Identity()
		if err != nil {
			return "" // the call itself will say so
		}
		return id.WarehouseID
	}
}
