package tools

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"brickmcp/catalog"

	"github.com/tidwall/gjson"
)

// present is what stands at a path; the zero value says nothing of size and date.
type present struct {
	there, read bool
	what        string // "a notebook", "a file of 12 bytes, changed 2026-01-02 15:04 UTC"
	folder      bool
}

// at looks at the path of the call. That nothing is there is no error here.
func (v *previewer) at() (present, error) {
	row := &catalog.GetFileMetadata.Row
	switch v.call.Row.Name {
	case catalog.PutDBFS.Name:
		row = &catalog.GetDBFSStatus.Row
	case catalog.ImportWorkspace.Name:
		row = &catalog.GetWorkspaceStatus.Row
	}
	call, err := row.Bind(jsonObject("path", v.text("path")))
	if err != nil {
		return present{}, err
	}
	answer, err := v.s.api.Do(v.ctx, call)
	var e *catalog.Error
	if errors.As(err, &e) && missing(e) {
		return present{read: true}, nil
	}
	if err != nil {
		return present{}, v.failed(call, err)
	}
	found := present{there: true, read: true}
	switch row.Name {
	case catalog.GetFileMetadata.Name:
		size, err := strconv.ParseInt(answer.Header.Get("Content-Length"), 10, 64)
		found.what = "a file" + ofSize(size, err == nil)
		if changed, err := http.ParseTime(answer.Header.Get("Last-Modified")); err == nil {
			found.what += ", changed " + when(changed.UnixMilli())
		}
	case catalog.GetDBFSStatus.Name:
		status := parse(answer.Body)
		found.folder = status.Get("is_dir").Bool()
		found.what = "a file" + ofSize(status.Get("file_size").Int(), true) + changedAt(status.Get("modification_time"))
	default:
		status := parse(answer.Body)
		kind := status.Get("object_type").Str
		found.folder = kind == "DIRECTORY" || kind == "REPO"
		found.what = "a " + strings.ToLower(plainKey(kind)) + ofSize(status.Get("size").Int(), status.Get("size").Exists()) + changedAt(status.Get("modified_at"))
	}
	if found.folder {
		found.what = "a folder"
	}
	return found, nil
}

func ofSize(n int64, known bool) string {
	if !known {
		return ""
	}
	return " of " + many(int(n), "byte")
}

func changedAt(ms gjson.Result) string {
	if ms.Int() <= 0 {
		return ""
	}
	return ", changed " + when(ms.Int())
}

func (v *previewer) writeFile() error {
	textName, base64Name := "contents", "contents_base64"
	if v.call.Row.Name == catalog.ImportWorkspace.Name {
		textName, base64Name = "content", "content_base64"
	}
	src, err := v.s.source(v.call, textName, base64Name)
	if err != nil {
		return err
	}
	src.close()
	overwrite, _ := argument[bool](v.call, "overwrite")
	found, err := v.at()
	if err != nil {
		return err
	}
	size := many(int(src.size), "byte")
	switch {
	case !found.read && overwrite:
		v.What = fmt.Sprintf("Writes %s, %s, over what may be there.", v.about(""), size)
	case !found.read:
		v.What = fmt.Sprintf("Writes %s, %s, unless something is there.", v.about(""), size)
	case !found.there:
		v.What = fmt.Sprintf("Creates %s with %s.", v.about(""), size)
	case found.folder:
		v.What = fmt.Sprintf("Will be refused: %s is %s.", v.about(""), found.what)
	case overwrite:
		v.What = fmt.Sprintf("Overwrites %s with %s. What is there is lost.", v.about(""), size)
		v.say("there is %s now", found.what)
	default:
		v.What = fmt.Sprintf("Will be refused: %s is there already, and overwrite is not true.", v.about(""))
		v.say("there is %s now", found.what)
	}
	return nil
}

func (v *previewer) deleteFile() error {
	found, err := v.at()
	if err != nil {
		return err
	}
	if found.read && !found.there {
		return &catalog.Error{Kind: catalog.Missing, Message: v.call.About() + ": there is no such file",
			Advice: "Check the path. Nothing was sent."}
	}
	v.What = "Deletes " + v.about("") + " for good: there is no trash."
	if found.there {
		v.say("it is %s", found.what)
	}
	return nil
}

// putSecret looks the key up; a value is neither read nor shown.
func (v *previewer) putSecret() error {
	key := v.text("key")
	v.What = "Writes " + v.about("") + "; a value that is there is lost."
	list, err := v.look(&catalog.ListSecrets.Row, jsonObject("scope", v.text("scope")))
	if err != nil || !list.Exists() {
		return err
	}
	v.What = "Creates " + v.about("") + "."
	for _, secret := range list.Get("secrets").Array() {
		if secret.Get("key").Str == key {
			v.What = fmt.Sprintf("Overwrites the value of %s, which was last written at %s and cannot be had back.", v.about(""), when(secret.Get("last_updated_timestamp").Int()))
		}
	}
	return nil
}

func (v *previewer) createPrincipal() error {
	name := v.text("displayName")
	v.What = fmt.Sprintf("Creates service principal %s, without credentials.", quoted(name))
	for _, list := range []string{"entitlements", "groups", "roles"} {
		if values := v.given(list); values.IsArray() && len(values.Array()) > 0 {
			v.say("it gets %s %s", list, brief(values.Get("#.value")))
		}
	}
	if name == "" {
		return nil
	}
	filter := "displayName eq " + string(appendText(nil, name))
	same, err := v.look(&catalog.ListServicePrincipals.Row, jsonObject("filter", filter))
	if err != nil {
		return err
	}
	for _, principal := range same.Get("Resources").Array() {
		v.say("there is one of this name already: id %s, application id %s", principal.Get("id").String(), quoted(principal.Get("applicationId").Str))
	}
	return nil
}
