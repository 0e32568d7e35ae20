package sandbox

import (
	"encoding/json"
	"net/url"
	"reflect"
	"strings"
	"testing"
)

const principals = scim + "/ServicePrincipals"

// scimRefused wants an error in SCIM's own shape and returns its detail.
func (c caller) scimRefused(method, path string, body any, status int, kind string) string {
	c.t.Helper()
	rec := c.send(method, path, body)
	var e struct {
		Schemas []string `json:"schemas"`
		Detail  string   `json:"detail"`
		Status  string   `json:"status"`
		Kind    string   `json:"scimType"`
	}
	if err := json.Unmarshal(rec.Body.Bytes(), &e); err != nil {
		c.t.Fatalf("%s %s: %d %s: %v", method, path, rec.Code, rec.Body, err)
	}
	if rec.Code != status || e.Kind != kind || len(e.Schemas) != 1 || !strings.HasPrefix(rec.Body.String(), `{"detail"`) {
		c.t.Fatalf("%s %s: got %d %s, want %d %s", method, path, rec.Code, rec.Body, status, kind)
	}
	return e.Detail
}

func TestServicePrincipalPaging(t *testing.T) {
	ana, _, _ := newCallers(t)
	seen := map[string]bool{}
	for start, pages := 1, 0; ; pages++ {
		page := ana.get(principals + "?count=5&startIndex=" + jsonText(start))
		rows := names(page["Resources"], "id")
		if page["totalResults"] != json.Number("12") || page["startIndex"] != json.Number(jsonText(start)) || page["itemsPerPage"] != json.Number(jsonText(len(rows))) {
			t.Fatal(page)
		}
		if len(rows) == 0 {
			if pages != 3 {
				t.Error("pages:", pages)
			}
			break
		}
		for _, id := range rows {
			if seen[id] {
				t.Error("twice:", id)
			}
			seen[id] = true
		}
		start += len(rows)
	}
	if len(seen) != 12 {
		t.Error(len(seen))
	}
	if all := ana.get(principals + "?startIndex=0"); all["startIndex"] != json.Number("1") {
		t.Error("startIndex is 1-based:", all["startIndex"])
	}
	ana.scimRefused("GET", principals+"?count=many", nil, 400, "invalidValue")
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestServicePrincipalFilter(t *testing.T) {
	ana, _, _ := newCallers(t)
	for filter, want := range map[string][]string{
		`displayName eq "etl-nightly"`:                        {"etl-nightly"},
		`displayName EQ "ETL-Nightly"`:                        {"etl-nightly"},
		`displayName co "ing"`:                                {"ml-serving", "fraud-scoring", "monitoring-agent"},
		`displayName sw "ml" or displayName sw "dbt"`:         {"ml-serving", "dbt-runner"},
		`displayName co "ing" and displayName sw "ml"`:        {"ml-serving"},
		`applicationId eq "` + ClientID + `"`:                 {"etl-nightly"},
		`groups.display eq "admins"`:                          {"terraform-ci"},
		`active eq "false"`:                                   {"legacy-sqoop-import"},
		`displayName sw "etl" or id eq "3317450926718340"`:    {"etl-nightly", "bi-dashboards"},
		`entitlements eq "allow-instance-pool-create"`:        {"terraform-ci"},
		`displayName eq "no \"such\" thing"`:                  nil,
		`active ne "true" and displayName ne "bi-dashboards"`: {"legacy-sqoop-import"},
	} {
		page := ana.get(principals + "?filter=" + url.QueryEscape(filter))
		if got := names(page["Resources"], "displayName"); !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}
	for filter, want := range map[string]struct {
		status int
		kind   string
		detail string
	}{
		`displayName`:             {400, "invalidFilter", "not valid"},
		`displayName eq`:          {400, "invalidFilter", "not valid"},
		`displayName gt "a"`:      {400, "invalidFilter", "Given filter operator is not supported"},
		`displayName co ""`:       {500, "", "Index 1 out of bounds for length 1"},
		`displayName eq "a`:       {400, "invalidFilter", "no closing quote"},
		`id eq "1" xor id eq "2"`: {400, "invalidFilter", "not valid"},
		`id eq "1" and`:           {400, "invalidFilter", "not valid"},
	} {
		got := ana.scimRefused("GET", principals+"?filter="+url.QueryEscape(filter), nil, want.status, want.kind)
		if !strings.Contains(got, want.detail) {
			t.Errorf("%s: %s", filter, got)
		}
	}
}

func FuzzSCIMFilter(f *testing.F) {
	for _, s := range []string{`a eq "b"`, `a.b co "\"c" and d ne e or f sw "g"`, `"a`, `a eq ""`, `a  eq  b`} {
		f.Add(s)
	}
	o := object{"displayName": "x", "groups": []object{{"value": "1"}}, "active": true}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := parseFilter(text)
		if err == nil && strings.TrimLeft(text, " ") != "" && len(filter) == 0 {
			t.Fatalf("%q was read as no filter at all", text)
		}
		filter.match(o)
	})
}

func TestServicePrincipalProjectionAndSort(t *testing.T) {
	ana, _, _ := newCallers(t)
	page := ana.get(principals + "?attributes=displayName&sortBy=displayName&sortOrder=descending&count=2")
	rows := page["Resources"].([]any)
	if got := names(rows, "displayName"); !reflect.DeepEqual(got, []string{"terraform-ci", "monitoring-agent"}) {
		t.Error(got)
	}
	if row := rows[0].(map[string]any); len(row) != 3 || row["id"] == nil || row["schemas"] == nil {
		t.Error("id and schemas stay, the rest goes:", row)
	}
	row := ana.get(principals + "?excludedAttributes=groups,roles,entitlements&count=1")["Resources"].([]any)[0].(map[string]any)
	if row["groups"] != nil || row["entitlements"] != nil || row["active"] != true {
		t.Error(row)
	}
	ana.scimRefused("GET", principals+"?sortBy=id&sortOrder=up", nil, 400, "invalidValue")
}

func TestServicePrincipalLife(t *testing.T) {
	ana, ben, _ := newCallers(t)
	rec := ana.send("POST", principals, object{"displayName": "bot", "entitlements": []object{{"value": "workspace-access"}}})
	var made struct{ ID, ApplicationID string }
	if err := json.Unmarshal(rec.Body.Bytes(), &made); err != nil || rec.Code != 201 || !uuid.MatchString(made.ApplicationID) {
		t.Fatal(rec.Code, rec.Body, err)
	}
	path := principals + "/" + made.ID
	if sp := ana.get(path); sp["active"] != true || sp["displayName"] != "bot" {
		t.Error(sp)
	}
	// A display name is not unique, an application id is.
	if twin := ana.call("POST", principals, object{"displayName": "bot"}); twin["id"] == made.ID {
		t.Error("a second bot is the first")
	}
	why := ana.scimRefused("POST", principals, object{"displayName": "x", "applicationId": made.ApplicationID}, 409, "uniqueness")
	if why != "Service principal with application ID "+made.ApplicationID+" already exists." {
		t.Error(why)
	}
	ana.scimRefused("POST", principals, object{}, 400, "invalidValue")
	ana.scimRefused("POST", principals, object{"displayName": "x", "applicationId": "7"}, 400, "invalidValue")
	ana.scimRefused("POST", principals, object{"displayName": "x", "entitlements": []object{{"value": "fly"}}}, 400, "invalidValue")
	ana.scimRefused("POST", principals, `{"displayName": 7}`, 400, "invalidSyntax")

	patch := func(op, at string, value any) object {
		return object{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}, "Operations": []object{{"op": op, "path": at, "value": value}}}
	}
	ana.call("PATCH", path, patch("replace", "displayName", "bot-2"))
	ana.call("PATCH", path, patch("add", "entitlements", []object{{"value": "databricks-sql-access"}}))
	ana.call("PATCH", path, patch("remove", `entitlements[value eq "workspace-access"]`, nil))
	ana.call("PATCH", path, patch("replace", "active", []object{{"value": "false"}}))
	if sp := ana.get(path); sp["displayName"] != "bot-2" || jsonText(sp["entitlements"]) != `[{"value":"databricks-sql-access"}]` || sp["active"] != false {
		t.Error(sp)
	}
	if why := ana.scimRefused("PATCH", path, patch("remove", "roles", nil), 400, "invalidPath"); !strings.HasPrefix(why, "No such attribute with the name : roles") {
		t.Error(why)
	}
	// PUT drops what it does not send.
	ana.call("PUT", path, object{"displayName": "bot-3"})
	if sp := ana.get(path); sp["entitlements"] != nil || sp["active"] != true {
		t.Error(sp)
	}
	for _, c := range []struct {
		method string
		body   any
	}{{"POST", object{"displayName": "x"}}, {"PATCH", patch("replace", "active", "false")}, {"PUT", object{}}, {"DELETE", nil}} {
		at := path
		if c.method == "POST" {
			at = principals
		}
		ben.scimRefused(c.method, at, c.body, 403, "")
	}
	if rec := ana.send("DELETE", path, nil); rec.Code != 204 || rec.Body.Len() != 0 {
		t.Error(rec.Code, rec.Body)
	}
	ana.scimRefused("GET", path, nil, 404, "")
	ana.scimRefused("GET", principals+"/"+ClientID, nil, 404, "") // the application id is not the SCIM id
}

// People who are not admins see names and ids of others, no more.
func TestDirectoryForNonAdmins(t *testing.T) {
	_, ben, _ := newCallers(t)
	for _, row := range ben.get(principals + "?count=100")["Resources"].([]any) {
		for field := range row.(map[string]any) {
			switch field {
			case "id", "displayName", "applicationId", "schemas":
			default:
				t.Fatal("ben sees", field)
			}
		}
	}
	if me := ben.get(scim + "/Me"); me["emails"] == nil || names(me["groups"], "display")[0] != "users" {
		t.Error("ben does not see himself:", me)
	}
	if got := names(ben.get(scim + "/Users")["Resources"], "userName"); len(got) != 5 {
		t.Error(got)
	}
}

func TestGroups(t *testing.T) {
	ana, ben, _ := newCallers(t)
	groups := ana.get(scim + `/Groups?filter=displayName+eq+"analysts"`)["Resources"].([]any)
	if len(groups) != 1 {
		t.Fatal(groups)
	}
	id := groups[0].(map[string]any)["id"].(string)
	add := object{"Operations": []object{{"op": "add", "path": "members", "value": []object{{"value": "9105827364410297"}}}}}
	ben.scimRefused("PATCH", scim+"/Groups/"+id, add, 403, "")
	for range 2 { // adding twice changes nothing
		ana.call("PATCH", scim+"/Groups/"+id, add)
	}
	if got := names(ana.get(scim + "/Groups/" + id)["members"], "display"); !reflect.DeepEqual(got, []string{"Ben Okafor", "Deniz Kaya", "bi-dashboards", "Erik Lindqvist"}) {
		t.Error(got)
	}
	ana.call("PATCH", scim+"/Groups/"+id, object{"Operations": []object{{"op": "remove", "path": `members[value eq "5820174639201745"]`}}})
	if got := names(ben.get(scim + "/Me")["groups"], "display"); !reflect.DeepEqual(got, []string{"users"}) {
		t.Error("ben left analysts, but is in", got)
	}
	ana.scimRefused("PATCH", scim+"/Groups/"+id, object{"Operations": []object{{"op": "add", "path": "members", "value": []object{{"value": "1"}}}}}, 400, "invalidValue")
}
