package catalog

import (
	"strings"
	"testing"
)

func TestSecretsAreHidden(t *testing.T) {
	answer := `{"job_id":1,"settings":{"name":"n","job_clusters":[{"new_cluster":{
		"docker_image":{"url":"u","basic_auth":{"username":"me","password":"pw-1"}},
		"spark_conf":{"fs.azure.account.key.x":"pw-2","spark.speculation":"true","a.password":"{{secrets/etl/pw}}"},
		"spark_env_vars":{"DB_TOKEN":"pw-3","MODE":"prod"}}}]}}`
	call, err := GetJob.Bind([]byte(`{"job_id":1}`))
	if err != nil {
		t.Fatal(err)
	}
	got := string(call.Projection().Append(nil, answer))
	if strings.Contains(got, "pw-") {
		t.Errorf("a secret is shown: %s", got)
	}
	for _, kept := range []string{`"username":"me"`, `"spark.speculation":"true"`, `"{{secrets/etl/pw}}"`, `"MODE":"prod"`, Hidden} {
		if !strings.Contains(got, kept) {
			t.Errorf("%s is missing: %s", kept, got)
		}
	}
	if _, err := ResetJob.Bind([]byte(`{"job_id":1,"new_settings":{"name":"` + Hidden + `"}}`)); err == nil || !strings.Contains(err.Error(), "secret") {
		t.Errorf("writing the placeholder back: %v", err)
	}
	if _, err := ResetJob.Bind([]byte(`{"job_id":1,"new_settings":{"description":"a long text… 40043 more bytes"}}`)); err == nil || !strings.Contains(err.Error(), "cut") {
		t.Errorf("writing a cut value back: %v", err)
	}
}
