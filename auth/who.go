package auth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
)

// who finds out whose token it is: SCIM Me, else what the token itself says.
// "" if neither helps; the sign-in works all the same.
func (f *flow) who(access, idToken string) string {
	ctx, cancel := context.WithTimeout(context.Background(), whoLimit)
	defer cancel()
	ask := f.options.WhoAmI
	if ask == nil {
		ask = f.scimMe
	}
	if user, err := ask(ctx, f.target.key.Host, access); err == nil && presentable(user) {
		return user
	}
	for _, token := range []string{idToken, access} {
		if user := userClaim(token); presentable(user) {
			return user
		}
	}
	return ""
}

// scimMe is GET /api/2.0/preview/scim/v2/Me (contract auth.md, section 6).
func (f *flow) scimMe(ctx context.Context, host, token string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, host+"/api/2.0/preview/scim/v2/Me", nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if id := f.target.workspaceID; id != "" {
		req.Header.Set("X-Databricks-Workspace-Id", id) // a unified host has many
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var me struct {
		UserName string `json:"userName"`
	}
	if resp.StatusCode != http.StatusOK {
		return "", errors.New(resp.Status)
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&me)
	return me.UserName, err
}

// userClaim reads a name out of a JWT without checking its signature: it came
// from the token endpoint over TLS, and serves for display and as a file name
// only.
func userClaim(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return ""
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return ""
	}
	var claims struct {
		Email             string `json:"email"`
		PreferredUsername string `json:"preferred_username"`
		Subject           string `json:"sub"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return ""
	}
	for _, name := range []string{claims.Email, claims.PreferredUsername, claims.Subject} {
		if name != "" {
			return name
		}
	}
	return ""
}

// presentable: a name that can be shown and does not look like a secret.
func presentable(name string) bool {
	return name != "" && len(name) <= 320 && !looksLikeToken(name) &&
		!strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f })
}
