package auth

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
)

// Resolve finds out who is asking. It reads the environment and, where the
// rules say so, the configuration file; it opens no connection and takes well
// under a millisecond. The error is an *Error, whose text tells what was
// looked for and what to set. A server should not stop because of it: see
// Credential.
//
// An explicit option beats the environment, and the environment beats the
// profile, attribute by attribute. The file is not read at all when no profile
// is named and a host or part of a method is already known.
func Resolve(o Options) (*Identity, error) {
	o = o.withDefaults()
	s, file, err := merge(o)
	if err != nil {
		return nil, err
	}
	return identify(o, s, file)
}

// merge collects the attributes in the order of their precedence.
func merge(o Options) (settings, profileFile, error) {
	s := newSettings()
	s.add("host", strings.TrimSpace(o.Host), Source{Origin: FromOption, Name: "--host"})
	for _, a := range attributes {
		if a.env != "" {
			s.add(a.name, strings.TrimSpace(o.Getenv(a.env)), Source{Origin: FromEnv, Name: a.env})
		}
	}
	file, err := addProfile(o, s)
	if err != nil {
		return s, file, err
	}
	addIDTokenVariable(o, s)
	return s, file, s.check()
}

// mergedHost reads the host and the ids; a Host without a URL when none is set.
func mergedHost(s settings) (Host, error) {
	var host Host
	if s.has("host") {
		var err error
		if host, err = ParseHost(s.values["host"]); err != nil {
			e := err.(*Error)
			return Host{}, &Error{Message: fmt.Sprintf("%s (It comes from %s.)", e.Message, s.sources["host"]), Advice: e.Advice}
		}
	}
	s.add("workspace_id", host.WorkspaceID, Source{Origin: FromURL})
	s.add("account_id", host.AccountID, Source{Origin: FromURL})
	for _, name := range []string{"workspace_id", "account_id"} {
		if v := s.values[name]; v != "" && !idPattern().MatchString(v) {
			return Host{}, &Error{
				Message: fmt.Sprintf("%s (%s) is not an id.", name, s.sources[name]),
				Advice:  "Use the id alone, as it stands behind ?o= or ?a= in the URL of the workspace.",
			}
		}
	}
	return host, nil
}

// identify turns merged settings into an Identity, or says what is missing.
func identify(o Options, s settings, file profileFile) (*Identity, error) {
	host, err := mergedHost(s)
	if err != nil {
		return nil, err
	}
	m, err := chooseMethod(s)
	if err != nil {
		return nil, err
	}
	if m == nil || m.name == externalBrowser {
		host, m = browserSignIn(&o, s, host)
	}
	if m == nil {
		return nil, noCredentials(o, host, s, file)
	}
	if host.URL == "" {
		lookup := ""
		if m.family == "azure" {
			lookup = " It is the URL of the workspace in the Azure portal: unlike the SDKs, this server does not look it up by the resource id."
		}
		return nil, &Error{
			Message: fmt.Sprintf("There are credentials (%s; %s) but no workspace host: no DATABRICKS_HOST, no host option, and %s.", m.name, m.chosen(s), file.state("host")),
			Advice:  "Set DATABRICKS_HOST. " + hostExample + lookup,
		}
	}

	if m.check != nil {
		if err := m.check(host, s); err != nil {
			e := err.(*Error)
			return nil, &Error{Message: fmt.Sprintf("The sign-in method %s (%s) cannot be used: %s", m.name, m.chosen(s), e.Message), Advice: e.Advice}
		}
	}

	id := &Identity{
		AuthType:    m.name,
		Host:        host.URL,
		Profile:     file.profile,
		ConfigFile:  file.read(),
		WorkspaceID: s.values["workspace_id"],
		AccountID:   s.values["account_id"],
		WarehouseID: s.values["warehouse_id"],
		Sources:     s.sources,
		Warnings:    warnings(host, m, s, file),
		fingerprint: fingerprint(s),
	}
	if m.clientID != "" {
		id.ClientID = s.values[m.clientID]
	}
	if m.scopes {
		id.Scopes = scopes(s.values["scopes"])
	}
	in := signIn{id: id, settings: s, options: o}
	if half := incomplete(s, nil); m.name == externalBrowser && !s.has("auth_type") && len(half) > 0 {
		in.hint = " Half configured besides: " + strings.Join(half, "; ") + "."
	}
	id.source = m.source(in)
	return id, nil
}

// profileFile is what became of the configuration file.
type profileFile struct {
	configFile
	skipped string // why it was not read: the attribute that is already set
	profile string // the one whose values were merged; "" if none
}

func (f profileFile) read() string {
	if f.file == nil {
		return ""
	}
	return f.path
}

// state says in a clause why the file gave no what.
func (f profileFile) state(what string) string {
	switch {
	case f.skipped != "":
		return fmt.Sprintf("the configuration file %s was not read because %s is set and no profile is named", f.path, f.skipped)
	case f.file == nil:
		return fmt.Sprintf("there is no configuration file %s", f.path)
	case f.profile == "":
		return fmt.Sprintf("the configuration file %s has no %s profile", f.path, fallbackProfile)
	default:
		return fmt.Sprintf("the profile %s of %s has no %s", f.profile, f.path, what)
	}
}

// addProfile merges the profile in, unless the rules say to leave the file be.
func addProfile(o Options, s settings) (profileFile, error) {
	path, explicit := strings.TrimSpace(o.ConfigFile), Source{Origin: FromOption, Name: "config file"}
	if path == "" {
		path, explicit = strings.TrimSpace(o.Getenv("DATABRICKS_CONFIG_FILE")), Source{Origin: FromEnv, Name: "DATABRICKS_CONFIG_FILE"}
	}
	named := path != ""
	if !named {
		path = defaultConfigFile
	}
	path = expandHome(path, o.Home)

	profile, from := strings.TrimSpace(o.Profile), Source{Origin: FromOption, Name: "--profile"}
	if profile == "" {
		profile, from = strings.TrimSpace(o.Getenv("DATABRICKS_CONFIG_PROFILE")), Source{Origin: FromEnv, Name: "DATABRICKS_CONFIG_PROFILE"}
	}
	if profile == "" {
		for _, a := range attributes {
			if s.has(a.name) && (a.method || a.name == "host") {
				return profileFile{configFile: configFile{path: path}, skipped: s.sources[a.name].Name}, nil
			}
		}
	}

	file, err := readConfigFile(path)
	if err != nil {
		return profileFile{}, err
	}
	if file.file == nil && named {
		return profileFile{}, &Error{
			Message: fmt.Sprintf("There is no Databricks configuration file %s; it was asked for by %s.", path, explicit),
			Advice:  "Correct the path, or unset it to use " + defaultConfigFile + ".",
		}
	}
	chosen, err := file.choose(profile, from)
	if err != nil {
		return profileFile{}, err
	}
	values := file.profile(chosen)
	if len(values) == 0 {
		return profileFile{configFile: file}, nil
	}
	for _, a := range attributes {
		if a.envOnly {
			continue
		}
		s.add(a.name, strings.TrimSpace(values[a.name]), Source{Origin: FromFile, Name: path, Profile: chosen})
	}
	return profileFile{configFile: file, profile: chosen}, nil
}

func noCredentials(o Options, host Host, s settings, file profileFile) *Error {
	e := &Error{
		Message: fmt.Sprintf("There are no Databricks credentials. Methods tried: %s. Looked for DATABRICKS_TOKEN, or DATABRICKS_CLIENT_ID with DATABRICKS_CLIENT_SECRET, in the environment; %s.",
			strings.Join(availableMethods(), ", "), file.state("credentials")),
	}
	if half := incomplete(s, nil); len(half) > 0 {
		e.Message += " Half configured: " + strings.Join(half, "; ") + "."
	}
	var advice []string
	if host.URL != "" && file.skipped != "" {
		// Only on this way to an error is a skipped file read after all.
		if skipped, err := readConfigFile(file.path); err == nil {
			if p := skipped.profileForHost(host.URL); p != "" {
				advice = append(advice, fmt.Sprintf("The profile %s of that file is for this host: name it with DATABRICKS_CONFIG_PROFILE=%s or --profile %s.", p, p, p))
			}
		}
	}
	if names := file.profiles(); file.profile == "" && len(names) > 0 {
		advice = append(advice, fmt.Sprintf("The file has the profiles %s: name one with DATABRICKS_CONFIG_PROFILE or --profile.", strings.Join(names[:min(20, len(names))], ", ")))
	}
	if o.StateDir != "" {
		advice = append(advice, signInAdvice(o))
	}
	advice = append(advice, whatWorks, "These belong into the environment in which the MCP client starts this server. Without a workspace, --sandbox serves an embedded one.")
	e.Advice = strings.Join(advice, " ")
	return e
}

// warnings are things that work but may not be meant.
func warnings(host Host, m *method, s settings, file profileFile) []string {
	var out []string
	if own := file.configFile.profile(file.profile)["host"]; own != "" && s.sources["host"].Origin != FromFile {
		if h, err := ParseHost(own); err == nil && h.URL != host.URL {
			for _, n := range m.needs {
				if s.sources[n].Origin == FromFile {
					out = append(out, fmt.Sprintf("The credentials of profile %s, which is for %s, are used for %s, because the host comes from %s.", file.profile, h.URL, host.URL, s.sources["host"]))
					break
				}
			}
		}
	}
	for _, half := range incomplete(s, m) {
		out = append(out, fmt.Sprintf("%s is used; another method is half configured: %s.", m.name, half))
	}
	if isAccountHost(host.URL) && !s.has("workspace_id") {
		out = append(out, host.URL+" is the host of an account, and no workspace id is set: calls to a workspace will not find one. Use the workspace's own host, or set DATABRICKS_WORKSPACE_ID.")
	}
	return out
}

// scopes splits the list of a profile; without one it is everything, which is
// what Databricks grants a service principal.
func scopes(list string) []string {
	out := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
	if len(out) == 0 {
		return []string{"all-apis"}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fingerprint tells whether two resolutions gave the same, without keeping
// the secrets for it.
func fingerprint(s settings) [32]byte {
	h := sha256.New()
	for _, a := range attributes {
		fmt.Fprintf(h, "%s=%q\n", a.name, s.values[a.name])
	}
	return [32]byte(h.Sum(nil))
}
