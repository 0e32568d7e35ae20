package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDefaultWarehouse(t *testing.T) {
	home := t.TempDir()
	profiles := "[a]\nhost = https://a.example.com\ntoken = x\nwarehouse_id = of-a\n[b]\nhost = https://b.example.com\ntoken = x\n"
	if err := os.WriteFile(filepath.Join(home, ".databrickscfg"), []byte(profiles), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, arguments, environment, want string
	}{
		{"flag", "--profile a --warehouse w1", "DATABRICKS_WAREHOUSE_ID=w3", "w1"},
		{"twin", "--profile a", "BRICKMCP_WAREHOUSE=w2", "w2"},
		{"environment", "--profile a", "DATABRICKS_WAREHOUSE_ID=w3", "w3"},
		{"profile", "--profile a", "", "of-a"},
		{"none", "--profile b", "", ""},
		{"nobody is signed in", "--profile nothing", "", ""},
		{"sandbox", "--sandbox", "DATABRICKS_WAREHOUSE_ID=w3", ""},
		{"sandbox with a flag", "--sandbox --warehouse w1", "", "w1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			environment := map[string]string{"HOME": home, "USERPROFILE": home}
			if name, value, ok := strings.Cut(c.environment, "="); ok {
				environment[name] = value
			}
			config := newConfig(func(name string) string { return environment[name] }, strings.NewReader(""), io.Discard, io.Discard)
			root := newRoot(config)
			if err := root.ParseFlags(strings.Fields(c.arguments)); err != nil {
				t.Fatal(err)
			}
			if err := config.environment(root); err != nil {
				t.Fatal(err)
			}
			a, err := config.build()
			if err != nil {
				t.Fatal(err)
			}
			defer a.close()
			if got := config.defaultWarehouse(a.workspace)(); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestOneWarehouseForSeveralProfiles(t *testing.T) {
	cmd := command(t, "tools", "--profile", "a", "--profile", "b", "--warehouse", "w")
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "--warehouse goes with one profile") {
		t.Errorf("%v: %s", err, out)
	}
}
