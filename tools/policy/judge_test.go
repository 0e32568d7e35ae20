package policy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"brickmcp/catalog"
)

// workspace answers lookups and counts them.
type workspace struct {
	objects map[string]Object // by "scope id"
	runs    map[string]string
	asked   []string
}

func (w *workspace) Object(_ context.Context, scope catalog.Scope, id string) (Object, error) {
	key := string(scope) + " " + id
	w.asked = append(w.asked, key)
	if o, ok := w.objects[key]; ok {
		return o, nil
	}
	return Object{}, &catalog.Error{Kind: catalog.Missing, Message: "jobs_get on job " + id + ": it does not exist."}
}

func (w *workspace) JobOfRun(_ context.Context, run string) (string, error) {
	w.asked = append(w.asked, "run "+run)
	if job, ok := w.runs[run]; ok {
		return job, nil
	}
	return "", errors.New("no such run")
}

func example() *workspace {
	return &workspace{
		objects: map[string]Object{
			"jobs 5001":                   {Name: "nightly-etl"},
			"jobs 5002":                   {Name: "nightly-prod", Tags: []string{"team=sales"}},
			"jobs 5003":                   {Name: "5001", Tags: []string{"env=Prod"}},
			"jobs 5004":                   {Name: "Nightly-etl", Tags: []string{"critical"}},
			"warehouses abc123":           {Name: "small"},
			"warehouses 0123456789abcdef": {Name: "prod-bi"},
			"service_principals 7":        {Name: "bot", Tags: []string{"1a2b"}},
			"clusters c-1":                {Name: "shared"},
		},
		runs: map[string]string{"900": "5001", "902": "5002", "909": ""},
	}
}

func bind(t testing.TB, line string) *catalog.Call {
	t.Helper()
	tool, args, _ := strings.Cut(line, " ")
	row := catalog.Find(tool)
	if row == nil {
		t.Fatalf("there is no tool %s", tool)
	}
	call, err := row.Bind(json.RawMessage(args))
	if err != nil {
		t.Fatalf("%s: %v", line, err)
	}
	return call
}

type judgeCase struct {
	call  string
	want  Action
	asked string // lookups, joined
	says  string // in Why
}

func judgeAll(t *testing.T, file string, cases []judgeCase) {
	t.Helper()
	rules := parse(t, file).Rules(Subject{})
	for _, c := range cases {
		w := example()
		d, _ := rules.Judge(context.Background(), bind(t, c.call), w)
		if d.Action != c.want || !strings.Contains(d.Why, c.says) {
			t.Errorf("%s\n%s: %s by %q: %s\nwant %s with %q", file, c.call, d.Action, d.Rule, d.Why, c.want, c.says)
		}
		if asked := strings.Join(w.asked, ", "); asked != c.asked {
			t.Errorf("%s\n%s: asked for %q, want %q", file, c.call, asked, c.asked)
		}
		if d.Action != Allow && (d.Line == 0 || d.Rule == "" || d.File != "team.yaml" || !strings.HasSuffix(d.Why, ".") && !strings.Contains(d.Why, "Use ")) {
			t.Errorf("%s: %+v", c.call, d)
		}
	}
}

func TestJobScopes(t *testing.T) {
	judgeAll(t, `scopes: {jobs: ["5001", "nightly-*"]}`, []judgeCase{
		{`jobs_list {}`, Allow, "", ""},
		{`jobs_get {"job_id":5001}`, Allow, "", ""}, // its id is listed: nobody needs its name
		{`jobs_get {"job_id":"5002"}`, Allow, "jobs 5002", ""},
		{`jobs_get {"job_id":5003}`, Deny, "jobs 5003", "Job 5003 (5001) is outside"}, // a name is no id
		{`jobs_delete {"job_id":5004}`, Deny, "jobs 5004", "none of 5001, nightly-* lets it through"},
		{`jobs_run_now {"job_id":9}`, Deny, "jobs 9", "could not be looked up"},
		{`jobs_get_run {"run_id":900}`, Allow, "run 900", ""},
		{`jobs_cancel_run {"run_id":902}`, Allow, "run 902, jobs 5002", ""},
		{`jobs_cancel_run {"run_id":909}`, Deny, "run 909", "belongs to no job"},
		{`jobs_cancel_run {"run_id":1}`, Deny, "run 1", "could not be looked up"},
		{`jobs_create {"name":"nightly-x"}`, Allow, "", ""},
		{`jobs_create {"name":"weekly"}`, Deny, "", "Job weekly is outside"},
		{`jobs_create {"name":"5001"}`, Deny, "", ""},
		{`jobs_create {}`, Deny, "", "name it"},
		{`jobs_list_runs {}`, Allow, "", ""}, // narrowed item by item
		{`jobs_list_runs {"job_id":5004}`, Deny, "jobs 5004", ""},
		{`clusters_list {}`, Allow, "", ""},
		{`clusters_start {"cluster_id":"c-1"}`, Allow, "", ""},
	})
	judgeAll(t, `scopes: {jobs: []}`, []judgeCase{
		{`jobs_get {"job_id":5001}`, Deny, "", "its empty list"},
		{`jobs_create {"name":"a"}`, Deny, "", ""},
	})
	judgeAll(t, `scopes: {jobs: ["*"], clusters: ["*"], tables: ["*"]}`, []judgeCase{
		{`jobs_get {"job_id":9}`, Allow, "", ""},
		{`jobs_create {}`, Allow, "", ""},
		{`jobs_cancel_run {"run_id":1}`, Allow, "", ""},
		{`sql_execute_statement {"warehouse_id":"w","statement":"DROP TABLE x"}`, Allow, "", ""},
	})
}

func TestOtherScopes(t *testing.T) {
	judgeAll(t, `scopes: {clusters: [shared], warehouses: [abc123, big-*], secret_scopes: [etl, Team-*], service_principals: ["7", bot-*]}`, []judgeCase{
		{`clusters_start {"cluster_id":"c-1"}`, Allow, "clusters c-1", ""},
		{`clusters_start {"cluster_id":"shared"}`, Allow, "", ""},
		{`clusters_create {"spark_version":"x","cluster_name":"other"}`, Deny, "", ""},
		{`clusters_create {"spark_version":"x"}`, Deny, "", "name it"},
		{`warehouses_start {"warehouse_id":"abc123"}`, Allow, "", ""},
		{`warehouses_stop {"warehouse_id":"0123456789abcdef"}`, Deny, "warehouses 0123456789abcdef", ""},
		{`sql_execute_statement {"warehouse_id":"abc123","statement":"DROP TABLE x"}`, Allow, "", ""},
		{`secrets_list {"scope":"ETL"}`, Allow, "", ""},
		{`secrets_put {"scope":"team-a","key":"k","string_value":"v"}`, Allow, "", ""},
		{`secrets_list {"scope":"prod"}`, Deny, "", "Secret scope prod is outside"},
		{`secrets_list_scopes {}`, Allow, "", ""},
		{`service_principals_get {"id":"7"}`, Allow, "", ""},
		{`service_principals_get {"id":"8"}`, Deny, "service_principals 8", ""},
		{`service_principals_create {"displayName":"bot-2"}`, Allow, "", ""},
		{`service_principals_create {"displayName":"7"}`, Deny, "", ""},
	})
}

func TestPathScopes(t *testing.T) {
	judgeAll(t, `scopes: {volumes: [/Volumes/main/default/data, /Volumes/main/*/in*, dbfs:/tmp/x], workspace_paths: [/Users/ana@example.com, "/Repos/*/etl"]}`, []judgeCase{
		{`files_download {"path":"/Volumes/main/default/data/a/b.csv"}`, Allow, "", ""},
		{`files_download {"path":"/Volumes/Main/Default/Data/a"}`, Allow, "", ""},
		{`files_download {"path":"/Volumes/main/default/database/a"}`, Deny, "", "File /Volumes/main/default/database/a is outside"},
		{`files_download {"path":"/Volumes/main/x/inbox/a"}`, Allow, "", ""},
		{`files_download {"path":"/Volumes/main/x/y/inbox"}`, Deny, "", ""},
		{`dbfs_read {"path":"/tmp/x/y"}`, Allow, "", ""},
		{`dbfs_read {"path":"dbfs:/tmp/x"}`, Allow, "", ""},
		{`dbfs_read {"path":"/tmp/xy"}`, Deny, "", ""},
		{`dbfs_read {"path":"/tmp/x/../y"}`, Deny, "", ""},
		{`dbfs_read {"path":"/Volumes/main/default/data/a"}`, Allow, "", ""},
		{`dbfs_put {"path":"/Volumes/main/hr/data/a","contents":"x"}`, Deny, "", ""},
		{`dbfs_put {"path":"/tmp//x/./y","contents":"x"}`, Deny, "", ""},
		{`dbfs_put {"path":"/tmp//x/y","contents":"x"}`, Allow, "", ""},
		{`workspace_list {"path":"/Users/ana@example.com/"}`, Allow, "", ""},
		{`workspace_export {"path":"/Workspace/Users/ana@example.com/n"}`, Allow, "", ""},
		{`workspace_list {"path":"/Users"}`, Deny, "", "Workspace path /Users is outside"},
		{`workspace_list {"path":"/Users/ana@example.com.evil"}`, Deny, "", ""},
		{`workspace_list {"path":"/Users/ana@example.com/../bob"}`, Deny, "", ""},
		{`workspace_import {"path":"/Repos/bob/etl/n","content":"x"}`, Allow, "", ""},
		{`workspace_import {"path":"/Repos/bob/x/etl","content":"x"}`, Deny, "", ""},
		{`uc_get_grants {"securable_type":"volume","full_name":"main.default.data"}`, Allow, "", ""},
		{`uc_get_grants {"securable_type":"volume","full_name":"main.default.other"}`, Deny, "", ""},
		{`uc_get_grants {"securable_type":"external_location","full_name":"landing"}`, Deny, "", "no scope can let this type of securable through"},
	})
	// A volume is in a catalog and a schema.
	judgeAll(t, `scopes: {catalogs: [main], schemas: [main.default]}`, []judgeCase{
		{`files_download {"path":"/Volumes/main/default/any/a"}`, Allow, "", ""},
		{`files_download {"path":"/Volumes/main/hr/any/a"}`, Deny, "", "scopes.schemas"},
		{`files_download {"path":"/Volumes/other/default/any/a"}`, Deny, "", "scopes.catalogs"},
		{`dbfs_read {"path":"/tmp/x"}`, Allow, "", ""},
	})
}

func TestUnityScopes(t *testing.T) {
	judgeAll(t, "scopes: {catalogs: [main, samples], schemas: [main.*, samples.nyc], tables: [main.sales.*, '`main`.ops.daily_*', samples.*]}", []judgeCase{
		{`uc_get_table {"full_name":"main.sales.orders"}`, Allow, "", ""},
		{`uc_get_table {"full_name":"MAIN.SALES.Orders"}`, Allow, "", ""},
		{"uc_get_table {\"full_name\":\"`main`.`sales`.orders\"}", Allow, "", ""},
		{`uc_get_table {"full_name":"main.ops.daily_1"}`, Allow, "", ""},
		{`uc_get_table {"full_name":"main.ops.weekly"}`, Deny, "", "Table main.ops.weekly is outside the policy team.yaml, line 1 (scopes.tables): none of main.sales.*"},
		{`uc_get_table {"full_name":"samples.nyc.trips"}`, Allow, "", ""},
		{`uc_get_table {"full_name":"samples.tpch.lineitem"}`, Deny, "", "scopes.schemas"},
		{`uc_get_table {"full_name":"other.sales.orders"}`, Deny, "", "scopes.catalogs"},
		{`uc_get_table {"full_name":"sales.orders"}`, Deny, "", "no full name"},
		{`uc_get_table {"full_name":"main.sales.orders.x"}`, Deny, "", "no full name"},
		{`uc_list_catalogs {}`, Allow, "", ""},
		{`uc_list_schemas {"catalog_name":"main"}`, Allow, "", ""},
		{`uc_list_schemas {"catalog_name":"other"}`, Deny, "", ""},
		{`uc_list_schemas {"catalog_name":"main.sales"}`, Deny, "", ""},
		{`uc_list_tables {"catalog_name":"main","schema_name":"ops"}`, Allow, "", ""}, // something in it is let through
		{`uc_list_tables {"catalog_name":"main","schema_name":"hr"}`, Deny, "", ""},
		{`uc_list_tables {"catalog_name":"main","schema_name":"sales.orders"}`, Deny, "", ""},
		{`uc_get_grants {"securable_type":"catalog","full_name":"main"}`, Allow, "", ""},
		{`uc_get_grants {"securable_type":"metastore","full_name":"x"}`, Deny, "", "no scope"},
		// A grant on a schema holds for all in it.
		{`uc_update_grants {"securable_type":"schema","full_name":"main.sales"}`, Allow, "", ""},
		{`uc_update_grants {"securable_type":"schema","full_name":"main.ops"}`, Deny, "", "with all that is in it"},
		{`uc_update_grants {"securable_type":"CATALOG","full_name":"main"}`, Deny, "", ""},
		{`uc_update_grants {"securable_type":"table","full_name":"main.ops.daily_1"}`, Allow, "", ""},
		{`uc_update_grants {"securable_type":"function","full_name":"main.ops.f"}`, Allow, "", ""},
		{`uc_update_grants {"securable_type":"function","full_name":"other.ops.f"}`, Deny, "", ""},
		{`uc_update_grants {"securable_type":"share","full_name":"x"}`, Deny, "", ""},
	})
}

func TestStatementScopes(t *testing.T) {
	statement := func(sql, more string) string {
		quoted, err := json.Marshal(sql)
		if err != nil {
			t.Fatal(err)
		}
		return `sql_execute_statement {"warehouse_id":"w","statement":` + string(quoted) + more + `}`
	}
	const session = `,"catalog":"main","schema":"sales"`
	judgeAll(t, "scopes: {tables: [main.sales.*, main.ops.daily], volumes: [/Volumes/main/sales], functions: [main.sales.mask]}", []judgeCase{
		{statement("SELECT * FROM main.sales.orders", ""), Allow, "", ""},
		{statement("SELECT * FROM main.sales.orders o JOIN main.hr.pay p ON o.id = p.id", ""), Deny, "", "Table main.hr.pay is outside"},
		{statement("SELECT * FROM orders", ""), Deny, "", "write a full name such as main.sales.orders, or pass catalog and schema"},
		{statement("SELECT * FROM sales.orders", ""), Deny, "", "write a full name"},
		{statement("SELECT * FROM orders", session), Allow, "", ""},
		{statement("SELECT * FROM hr.pay", session), Deny, "", "Table main.hr.pay"},
		{statement("SELECT * FROM `MAIN`.`sales`.`or.ders`", ""), Allow, "", ""},
		{statement("SELECT 1", ""), Allow, "", ""},
		{statement("INSERT INTO main.sales.orders VALUES (1)", ""), Deny, "", "only plain reads go through: INSERT changes data (line 1, column 1, at \"INSERT\")."},
		{statement("SELECT 1; DROP TABLE main.sales.orders", ""), Deny, "", ""},
		{statement("SELECT * FROM IDENTIFIER(:t)", `,"parameters":[{"name":"t","value":"main.hr.pay"}]`), Deny, "", "by an expression"},
		{statement("SELECT main.sales.mask(1)", ""), Allow, "", ""},
		{statement("SELECT main.sales.other(1)", ""), Deny, "", "scopes.functions"},
		{statement("SELECT mask(1)", session), Allow, "", ""},
		{statement("SELECT * FROM read_files('/Volumes/main/sales/in/x.csv')", ""), Allow, "", ""},
		{statement("SELECT * FROM csv.`/Volumes/main/hr/in/x.csv`", ""), Deny, "", "scopes.volumes"},
		{statement("SELECT * FROM read_files('s3://b/x.csv')", ""), Deny, "", ""},
		{statement("SELECT * FROM read_files('/Volumes/main/sales/../hr/x.csv')", ""), Deny, "", ""},
		{statement("SHOW TABLES IN main.sales", ""), Allow, "", ""},
		{statement("SHOW TABLES IN main.ops", ""), Deny, "", "not all in it is let through"},
		{statement("SHOW TABLES IN sales", `,"catalog":"main"`), Allow, "", ""},
		{statement("SHOW TABLES IN main", ""), Deny, "", "write both"},
		{statement("SHOW TABLES", ""), Deny, "", "write both"},
		{statement("SHOW TABLES", session), Allow, "", ""},
		{statement("SHOW TABLES", `,"catalog":"main","schema":"hr"`), Deny, "", ""},
		{statement("SHOW SCHEMAS IN main", ""), Deny, "", ""},
		{statement("SHOW CATALOGS", ""), Deny, "", ""},
		{statement("SHOW GRANTS ON CATALOG other", session), Deny, "", "write both"},
		{statement("SHOW/**/GRANTS ON CATALOG other", session), Deny, "", "write both"},
		{statement("DESCRIBE SCHEMA main.ops", ""), Allow, "", ""},
		{statement("DESCRIBE SCHEMA main.hr", ""), Deny, "", ""},
		{statement("DESCRIBE TABLE main.hr.pay", ""), Deny, "", ""},
		{statement("DESCRIBE EXTERNAL LOCATION lake", ""), Deny, "", "in no catalog and schema"},
		{statement("DESCRIBE STORAGE CREDENTIAL c", session), Deny, "", "in no catalog and schema"},
		{statement("DESCRIBE SHARE s", ""), Deny, "", "in no catalog and schema"},
		{statement("DESCRIBE CONNECTION c", ""), Deny, "", "in no catalog and schema"},
		{statement("DESCRIBE VOLUME v", ""), Deny, "", "in no catalog and schema"}, // of the session
		{statement("DESCRIBE FUNCTION f", ""), Deny, "", "in no catalog and schema"},
		{statement("DESCRIBE VOLUME main.sales.v", ""), Allow, "", ""},
		{statement("DESCRIBE (SELECT 1)", ""), Allow, "", ""},
		{statement("DESCRIBE QUERY VALUES (1)", ""), Allow, "", ""},
		{`sql_get_statement {"statement_id":"x"}`, Allow, "", ""},
	})
	judgeAll(t, "scopes: {catalogs: [main]}", []judgeCase{
		{statement("SHOW/* SCHEMAS */ TABLES IN main", ""), Deny, "", "write both"}, // a schema, whatever the comment says
		{statement("SHOW/* SCHEMAS */ TABLES IN main", `,"catalog":"other"`), Deny, "", ""},
		{statement("SHOW /* all */ SCHEMAS IN main", ""), Allow, "", ""},
		{statement("SHOW SCHEMAS IN main", ""), Allow, "", ""},
		{statement("SHOW SCHEMAS", `,"catalog":"main"`), Allow, "", ""},
		{statement("SHOW TABLES IN main.any", ""), Allow, "", ""},
		{statement("SHOW VOLUMES IN main.any", ""), Allow, "", ""},
		{statement("SHOW TABLES IN main", ""), Deny, "", ""}, // a schema of a catalog that is not known
		{statement("SELECT * FROM other.a.b", ""), Deny, "", ""},
		{statement("SELECT main.a.f(1)", ""), Deny, "", ""}, // no list of functions: none
		{statement("DELETE FROM main.a.b", ""), Deny, "", ""},
	})
	judgeAll(t, "scopes: {jobs: [x]}", []judgeCase{ // nothing of Unity Catalog is narrowed
		{statement("DROP TABLE main.a.b", ""), Allow, "", ""},
	})
}

func TestProtected(t *testing.T) {
	statement := func(sql, more string) string {
		return fmt.Sprintf(`sql_execute_statement {"warehouse_id":"abc123","statement":%q%s}`, sql, more)
	}
	const asked = "warehouses abc123"
	judgeAll(t, `protected: ["*prod*", critical, "team=SALES", main.gold.*]`, []judgeCase{
		{`jobs_get {"job_id":5002}`, Allow, "", ""}, // reads do not ask
		{`jobs_run_now {"job_id":5001}`, Allow, "jobs 5001", ""},
		{`jobs_run_now {"job_id":5002}`, Confirm, "jobs 5002", "Job 5002 (nightly-prod) is protected by"},
		{`jobs_delete {"job_id":5003}`, Confirm, "jobs 5003", ""},
		{`jobs_delete {"job_id":5004}`, Confirm, "jobs 5004", "critical"},
		{`jobs_delete {"job_id":9}`, Confirm, "jobs 9", "could not be looked up, so it may be one of"},
		{`jobs_cancel_run {"run_id":900}`, Allow, "run 900, jobs 5001", ""},
		{`jobs_cancel_run {"run_id":902}`, Confirm, "run 902, jobs 5002", ""},
		{`jobs_cancel_run {"run_id":909}`, Allow, "run 909", ""},
		{`jobs_cancel_run {"run_id":1}`, Confirm, "run 1", "could not be looked up"},
		{`jobs_create {"name":"PROD load"}`, Confirm, "", ""},
		{`jobs_create {"name":"load"}`, Allow, "", ""},
		{`jobs_create {"name":"load","tags":{"a":"b","team":"sales"}}`, Confirm, "", "team=SALES"},
		{`jobs_create {"name":"load","tags":{"team":"x"}}`, Allow, "", ""},
		{`clusters_create {"spark_version":"x","custom_tags":{"env":"prod"}}`, Confirm, "", "gives a tag"},
		{`clusters_create {"spark_version":"x","cluster_name":"c","custom_tags":{"env":"prod"}}`, Confirm, "", ""},
		{`warehouses_create {"name":"w","cluster_size":"Small","tags":{"custom_tags":[{"key":"env","value":"prod"}]}}`, Confirm, "", ""},
		{`warehouses_create {"name":"w","cluster_size":"Small","tags":{"custom_tags":[{"key":"env","value":"dev"}]}}`, Allow, "", ""},
		{`secrets_put {"scope":"prod-db","key":"k","string_value":"v"}`, Confirm, "", ""},
		{`secrets_put {"scope":"dev","key":"k","string_value":"v"}`, Allow, "", ""},
		{`secrets_put {"scope":"dev","key":"prod-db","string_value":"v"}`, Confirm, "", "Secret scope dev (prod-db) is protected by"},
		{`files_upload {"path":"/Volumes/prod/a/b/c","contents":"x"}`, Confirm, "", ""},
		{`files_upload {"path":"/Volumes/a/critical/b/c","contents":"x"}`, Confirm, "", ""}, // one part of it
		{`files_upload {"path":"/Volumes/a/uncritical/b/c","contents":"x"}`, Allow, "", ""},
		{`uc_update_grants {"securable_type":"table","full_name":"main.GOLD.orders"}`, Confirm, "", ""},
		{`uc_update_grants {"securable_type":"table","full_name":"main.silver.orders"}`, Allow, "", ""},
		{`uc_update_grants {"securable_type":"external_location","full_name":"prod_landing"}`, Confirm, "", ""},
		{`uc_get_grants {"securable_type":"table","full_name":"main.gold.orders"}`, Allow, "", ""},
		{statement("SELECT * FROM prod.a.b", ""), Allow, "", ""}, // only reads
		{statement("DROP TABLE prod.a.b", ""), Confirm, asked, "names prod"},
		{statement("INSERT INTO main.Gold.x VALUES (1)", ""), Confirm, asked, "main.Gold.x"},
		{statement("INSERT INTO main.dev.x SELECT * FROM y WHERE s = 'critical'", ""), Confirm, asked, ""},
		{statement("INSERT INTO main.dev.x SELECT * FROM y", ""), Allow, asked, ""},
		{statement("DROP TABLE a.b", `,"catalog":"prod"`), Confirm, asked, ""},
		{statement("DROP TABLE b", `,"catalog":"dev","schema":"critical"`), Confirm, asked, ""},
		{statement("DROP TABLE IDENTIFIER(:t)", `,"parameters":[{"name":"t","value":"x"}]`), Confirm, asked, "computes what it touches"},
		{statement("EXECUTE IMMEDIATE 'DROP TABLE pr' || 'od.a.b'", ""), Confirm, asked, "computes what it touches"},
		{statement("INSERT INTO x VALUES (:v)", `,"parameters":[{"name":"v","value":"/Volumes/critical/x"}]`), Confirm, asked, ""},
		{statement("INSERT INTO x VALUES ('open", ""), Confirm, asked, "cannot be read"},
		{`sql_execute_statement {"warehouse_id":"0123456789abcdef","statement":"INSERT INTO x VALUES (1)"}`, Confirm, "warehouses 0123456789abcdef", "(prod-bi)"},
		{`sql_cancel_statement {"statement_id":"x"}`, Allow, "", ""},
	})
	// Narrower than a question is a refusal.
	judgeAll(t, `{protected: ["*"], groups: {jobs: read}, tools: {secrets_put: deny, files_delete: confirm}, scopes: {clusters: [x]}}`, []judgeCase{
		{`jobs_delete {"job_id":5002}`, Deny, "", "needs the level full"},
		{`secrets_put {"scope":"a","key":"k","string_value":"v"}`, Deny, "", ""},
		{`files_delete {"path":"/Volumes/a/b/c/d"}`, Confirm, "", "tools.files_delete: confirm"},
		{`files_upload {"path":"/Volumes/a/b/c/d","contents":"x"}`, Confirm, "", "protected: *"},
		{`clusters_start {"cluster_id":"y"}`, Deny, "clusters y", ""},
	})
}

// Protections and confirm add up; scopes are replaced by more specific ones, and
// intersect among equals.
func TestSectionsOfScopes(t *testing.T) {
	p := parse(t, `
scopes: {secret_scopes: [a, b]}
protected: [a]
sections:
  - {client: c, scopes: {secret_scopes: [b, c]}, protected: [b]}
  - {client: c*, scopes: {secret_scopes: [c, d]}}
  - {user: u, protected: [c], scopes: {jobs: []}}
`)
	put := func(scope string) *catalog.Call {
		return bind(t, `secrets_put {"scope":"`+scope+`","key":"k","string_value":"v"}`)
	}
	for _, c := range []struct {
		who  Subject
		want string // of a, b, c, d
	}{
		{Subject{}, "confirm allow deny deny"},
		{Subject{Client: "c"}, "deny deny allow deny"},
		{Subject{Client: "cc"}, "deny deny allow allow"},
		{Subject{User: "u"}, "confirm allow deny deny"},
		{Subject{User: "u", Client: "c"}, "deny deny confirm deny"},
	} {
		var got []string
		for _, scope := range []string{"a", "b", "c", "d"} {
			d, _ := p.Rules(c.who).Judge(context.Background(), put(scope), nil)
			got = append(got, string(d.Action))
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v: %v, want %s", c.who, got, c.want)
		}
	}
	d, _ := p.Rules(Subject{Client: "c"}).Judge(context.Background(), put("a"), nil)
	if d.Rule != "section client c: scopes.secret_scopes" || d.Line != 5 || d.Object == nil || d.Object.ID != "a" {
		t.Errorf("%+v", d)
	}
}

func TestShows(t *testing.T) {
	r := parse(t, `scopes: {catalogs: [main], tables: [main.sales.*], jobs: ["1", n-*], workspace_paths: [/Users/ana], secret_scopes: [etl]}`).Rules(Subject{})
	for _, c := range []struct {
		o    Object
		want bool
	}{
		{Object{Scope: catalog.ScopeCatalogs, ID: "main"}, true},
		{Object{Scope: catalog.ScopeCatalogs, ID: "other"}, false},
		{Object{Scope: catalog.ScopeSchemas, ID: "main.sales"}, true},
		{Object{Scope: catalog.ScopeSchemas, ID: "main.hr"}, false},
		{Object{Scope: catalog.ScopeTables, ID: "main.sales.x"}, true},
		{Object{Scope: catalog.ScopeTables, ID: "main.hr.x"}, false},
		{Object{Scope: catalog.ScopeTables}, false},
		{Object{Scope: catalog.ScopeJobs, ID: "1"}, true},
		{Object{Scope: catalog.ScopeJobs, ID: "2", Name: "n-2"}, true},
		{Object{Scope: catalog.ScopeJobs, ID: "2", Name: "1"}, false},
		{Object{Scope: catalog.ScopeJobs, ID: "2"}, false},
		{Object{Scope: catalog.ScopeWorkspacePaths, ID: "/Users/ana/n"}, true},
		{Object{Scope: catalog.ScopeWorkspacePaths, ID: "/Users/anabel"}, false},
		{Object{Scope: catalog.ScopeSecretScopes, ID: "etl"}, true},
		{Object{Scope: catalog.ScopeClusters, ID: "any"}, true},
	} {
		if r.Shows(c.o) != c.want || !None().Rules(Subject{}).Shows(c.o) {
			t.Errorf("%+v: shown %t", c.o, !c.want)
		}
	}
	for scope, want := range map[catalog.Scope]bool{
		catalog.ScopeCatalogs: true, catalog.ScopeSchemas: true, catalog.ScopeTables: true, catalog.ScopeVolumes: true, catalog.ScopeFunctions: true,
		catalog.ScopeJobs: true, catalog.ScopeRuns: true, catalog.ScopeSQL: true, catalog.ScopeClusters: false, catalog.ScopeWarehouses: false, catalog.ScopeStatements: false, catalog.ScopeAgents: false, catalog.ScopeAgentRuns: false,
	} {
		if r.Narrows(scope) != want || None().Rules(Subject{}).Narrows(scope) {
			t.Errorf("Narrows(%s) is %t", scope, !want)
		}
	}
}

// TestEveryTouchIsNarrowed: an empty scope empties every list of its objects, and
// refuses every tool that touches one.
func TestEveryTouchIsNarrowed(t *testing.T) {
	for _, row := range catalog.All() {
		for _, touch := range row.Touches {
			scope := touch.Scope
			switch scope {
			case catalog.ScopeRuns:
				scope = catalog.ScopeJobs
			case catalog.ScopeSQL, catalog.ScopeSecurables:
				scope = catalog.ScopeTables
			case catalog.ScopeStatements, catalog.ScopeAgentRuns: // the user's own
				continue
			}
			rules := parse(t, "scopes: {"+string(scope)+": []}").Rules(Subject{})
			call := &catalog.Call{Row: row, Touches: []catalog.Touch{{Scope: touch.Scope, ID: "table:main.a.b", Name: "x"}}}
			if d, _ := rules.Judge(context.Background(), call, example()); d.Action != Deny {
				t.Errorf("%s touches %s: %s", row.Name, touch.Scope, d.Action)
			}
			if !rules.Narrows(touch.Scope) {
				t.Errorf("%s: %s is not narrowed", row.Name, touch.Scope)
			}
		}
		if s := row.Shows.Scope; s != "" && s != catalog.ScopeAgentRuns && parse(t, "scopes: {"+string(s)+": []}").Rules(Subject{}).Shows(Object{Scope: s, ID: "a", Name: "b"}) {
			t.Errorf("%s shows %s in spite of an empty list", row.Name, s)
		}
	}
}

// A job of one's own is no way around: what its tasks name is judged too.
func TestWhatTasksName(t *testing.T) {
	create := func(task string) string {
		return `jobs_create {"name":"mine","tasks":[{"task_key":"a","notebook_task":{"notebook_path":"/x"}},{"task_key":"b",` + task + `}]}`
	}
	update := func(settings string) string { return `jobs_update {"job_id":5001,"new_settings":` + settings + `}` }
	judgeAll(t, "scopes: {jobs: [nightly-etl, mine], clusters: [shared], warehouses: [small]}", []judgeCase{
		{create(`"existing_cluster_id":"c-1"`), Allow, "clusters c-1", ""},
		{create(`"existing_cluster_id":"c-2"`), Deny, "clusters c-2", "cluster c-2 could not be looked up"},
		{create(`"run_job_task":{"job_id":5001}`), Allow, "jobs 5001", ""},
		{create(`"run_job_task":{"job_id":5002}`), Deny, "jobs 5002", "Job 5002 (nightly-prod) is outside"},
		{create(`"run_job_task":{"job_id":"5002"}`), Deny, "jobs 5002", "Job 5002"},
		{create(`"run_job_task":{"job_id":5001,"job_id":5002}`), Deny, "jobs 5001, jobs 5002", "Job 5002"},
		{create(`"for_each_task":{"inputs":"[1]","task":{"task_key":"c","run_job_task":{"job_id":5002}}}`), Deny, "jobs 5002", "Job 5002"},
		{create(`"sql_task":{"warehouse_id":"abc123","file":{"path":"x"}}`), Allow, "warehouses abc123", ""},
		{create(`"sql_task":{"warehouse_id":"0123456789abcdef","file":{"path":"x"}}`), Deny, "warehouses 0123456789abcdef", "Warehouse 0123456789abcdef (prod-bi)"},
		{create(`"notebook_task":{"notebook_path":"/x","base_parameters":{"warehouse_id":"0123456789abcdef","existing_cluster_id":"c-2"}}`), Allow, "", ""},
		{update(`{"tasks":[{"task_key":"a","run_job_task":{"job_id":5002}}]}`), Deny, "jobs 5001, jobs 5002", "Job 5002"},
		{update(`{"existing_cluster_id":"c-2"}`), Deny, "jobs 5001, clusters c-2", "c-2"},
		{update(`{"tasks":[],"tasks":[{"task_key":"a","run_job_task":{"job_id":5002}}]}`), Deny, "jobs 5001, jobs 5002", "Job 5002"},
		{`jobs_reset {"job_id":5001,"new_settings":{"name":"mine","tasks":[{"task_key":"a","run_job_task":{"job_id":5002}}]}}`, Deny, "jobs 5001, jobs 5002", "Job 5002"},
		{update(`{"name":"other"}`), Allow, "jobs 5001", ""},
	})
	judgeAll(t, `protected: ["*prod*"]`, []judgeCase{
		{create(`"run_job_task":{"job_id":5002}`), Confirm, "jobs 5002", "Job 5002 (nightly-prod) is protected by"},
		{create(`"run_job_task":{"job_id":5001}`), Allow, "jobs 5001", ""},
	})
}
