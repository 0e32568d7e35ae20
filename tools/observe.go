package tools

import "brickmcp/catalog"

// The outcomes of calls that did not fail. A failure's is its kind.
const (
	outcomeOK           = "ok"
	outcomeDeduplicated = "deduplicated" // answered with the result of a call that it repeats
	outcomeConfirm      = "confirm"      // waits for its confirmation
)

// Outcomes are what Config.Observe hears of calls.
func Outcomes() []string {
	all := []string{outcomeOK, outcomeDeduplicated, outcomeConfirm}
	for _, kind := range []catalog.Kind{
		catalog.Invalid, catalog.SignIn, catalog.Forbidden, catalog.Denied, catalog.Missing, catalog.Conflict,
		catalog.Busy, catalog.Limited, catalog.Down, catalog.UnknownFate, catalog.Internal,
	} {
		all = append(all, string(kind))
	}
	return all
}

// Names are the names of all tools of ours, shown or not.
func Names() []string {
	names := []string{whoAmIName}
	for _, row := range catalog.All() {
		names = append(names, row.Name)
	}
	return names
}

func (r *record) outcome(err error, duplicate bool) string {
	switch {
	case r.waits != "":
		return outcomeConfirm
	case err != nil:
		return string(catalog.AsError(err).Kind)
	case duplicate:
		return outcomeDeduplicated
	}
	return outcomeOK
}
