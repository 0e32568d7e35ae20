package tools

import (
	"strconv"

	"brickmcp/tools/runs"

	"github.com/tidwall/gjson"
)

// maxPendingShown is more than anybody decides on in one call.
const maxPendingShown = 100

// pendingJSON shows what a run waits for: arguments as the JSON that they are, or as
// text if they are none. What does not fit into room bytes is cut: arguments first,
// then names. The ids are always there, whole: without them nothing can be decided.
func pendingJSON(pending []runs.Pending, room int) []byte {
	left := len(pending) - maxPendingShown
	pending = pending[:min(len(pending), maxPendingShown)]
	share := room / max(len(pending), 1)
	var out []byte
	for _, most := range []struct{ arguments, name int }{{every, every}, {max(share-250, 300), 200}, {300, 80}, {60, 40}, {0, 20}, {0, 0}} {
		out = append(out[:0], '[')
		for i, p := range pending {
			if i > 0 {
				out = append(out, ',')
			}
			out = append(out, onePending(p, most.arguments, most.name)...)
		}
		if left > 0 {
			out = appendText(append(out, ','), "… "+strconv.Itoa(left)+" more")
		}
		if out = append(out, ']'); len(out) <= room {
			break
		}
	}
	return out
}

// onePending is one approval with at most so many bytes of arguments, and of each
// name; 0 leaves them out.
func onePending(p runs.Pending, arguments, name int) []byte {
	var o object
	o.text("approval_request_id", p.ID)
	if name == 0 {
		return o.bytes()
	}
	o.text("server_label", shortName(p.ServerLabel, name))
	o.text("name", shortName(p.Name, name))
	value := appendText(nil, p.Arguments)
	if gjson.Valid(p.Arguments) {
		value = []byte(gjson.Get(p.Arguments, "@ugly").Raw)
	}
	switch {
	case len(value) <= arguments:
	case arguments >= 300: // the least that shorten can do
		value = shorten(value, arguments)
	default:
		value = appendText(nil, "… "+strconv.Itoa(len(value))+" bytes")
	}
	o.raw("arguments", string(value))
	return o.bytes()
}

func shortName(name string, limit int) string {
	if cut := cutText(name, limit); cut != name {
		return cut + "…"
	}
	return name
}
