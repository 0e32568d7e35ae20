package runs

import (
	"testing"

	"brickmcp/catalog"
)

// What a cancel says is what happened.
func TestCancel(t *testing.T) {
	for name, c := range map[string]struct {
		create, cancel, look answer
		status               Status
		kind                 catalog.Kind
	}{
		"501":            {response("r", "in_progress"), failing(catalog.Missing, 501, "", "no"), response("r", "in_progress"), Abandoned, ""},
		"404":            {response("r", "in_progress"), failing(catalog.Missing, 404, "", "no"), response("r", "in_progress"), Abandoned, ""},
		"too late":       {response("r", "in_progress"), failing(catalog.Missing, 405, "", "no"), response("r", "completed", textItem1), Completed, ""},
		"it can":         {response("r", "in_progress"), response("r", "cancelled"), answer{}, Cancelled, ""},
		"not yet":        {response("r", "in_progress"), response("r", "in_progress"), answer{}, Abandoned, ""},
		"without a word": {response("r", "in_progress"), answer{body: "{}"}, answer{}, Cancelled, ""},
		"waits":          {response("r", "completed", request1), answer{}, answer{}, Cancelled, ""},
		"down":           {response("r", "in_progress"), failing(catalog.Down, 503, "", "no"), answer{}, InProgress, catalog.Down},
		"ended":          {response("r", "completed", textItem1), answer{}, answer{}, Completed, ""},
	} {
		t.Run(name, func(t *testing.T) {
			g := &gateway{answers: map[string][]answer{posts: {c.create}, cancels: {c.cancel}, gets: {c.look}}}
			r := supervised(t.TempDir(), g)
			run := mustStart(t, r, task())
			got, err := r.Cancel(t.Context(), gatewayUser, run.ID)
			if c.kind != "" {
				checkError(t, err, c.kind)
			} else if err != nil {
				t.Fatal(err)
			} else if got.Status != c.status {
				t.Errorf("status %s, want %s", got.Status, c.status)
			}
			if kept, err := r.Registry.get(gatewayUser, run.ID); err != nil || kept.Status != c.status {
				t.Errorf("kept as %s, want %s", kept.Status, c.status)
			}
		})
	}
}
