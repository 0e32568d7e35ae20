package catalog

// Notebooks, files and folders of the workspace tree: contract/workspace.md.

func workspaceRows() []*Row {
	return []*Row{
		&ImportWorkspace.Row, &ExportWorkspace.Row, &ListWorkspace.Row,
		&GetWorkspaceStatus.Row,
	}
}

// ImportWorkspaceRequest is an object and its content. The API wants base64, at
// most 10 MB; agents write text.
type ImportWorkspaceRequest struct {
	Path          string `json:"path" jsonschema_description:"/Users/me/name"`
	Content       string `json:"content,omitempty" audit:"hide" in:"local" jsonschema_description:"Text"`
	ContentBase64 string `json:"content_base64,omitempty" audit:"hide" in:"local" jsonschema_description:"Or bytes"`
	Format        string `json:"format,omitempty" jsonschema:"enum=AUTO,enum=DBC,enum=HTML,enum=JUPYTER,enum=RAW,enum=R_MARKDOWN,enum=SOURCE" jsonschema_description:"SOURCE: notebook, RAW: file"`
	Language      string `json:"language,omitempty" jsonschema:"enum=PYTHON,enum=R,enum=SCALA,enum=SQL" jsonschema_description:"For SOURCE"`
	Overwrite     bool   `json:"overwrite,omitempty" jsonschema_description:"Default false"`
}

// ImportedObject names what was written; older servers answer nothing.
type ImportedObject struct {
	ObjectID ID `json:"object_id"`
}

// ImportWorkspace writes a notebook or file. It never makes parent folders.
var ImportWorkspace = Define[ImportWorkspaceRequest, ImportedObject](Row{
	Name: "workspace_import", Title: "Import notebook or file", Group: Workspace, Effect: Replace,
	Method: "POST", Path: "/api/2.0/workspace/import",
	Needs: "CAN_MANAGE on the folder (CAN_EDIT to overwrite)", Object: "workspace object {path}", Limit: PerSecond(30),
	OneOf:   []string{"content", "content_base64"},
	Doc:     "Write a notebook or file.",
	Did:     "wrote {}",
	Touches: []Touch{{Scope: ScopeWorkspacePaths, ID: "{path}"}},
})

// ExportWorkspaceRequest is an object and the piece wanted of it.
type ExportWorkspaceRequest struct {
	Path   string `json:"path" jsonschema_description:"Workspace path"`
	Format string `json:"format,omitempty" jsonschema:"enum=AUTO,enum=DBC,enum=HTML,enum=JUPYTER,enum=RAW,enum=R_MARKDOWN,enum=SOURCE" jsonschema_description:"AUTO for files"`
	Offset int64  `json:"offset,omitempty" in:"local" check:"minimum=0" jsonschema_description:"First byte"`
	Length int64  `json:"length,omitempty" in:"local" check:"minimum=1" jsonschema_description:"Bytes"`
}

// ExportedObject is an object's content in base64; file_type is such as py or ipynb.
type ExportedObject struct {
	Content  string `json:"content"`
	FileType string `json:"file_type"`
}

// ExportWorkspace reads a notebook or file of at most 10 MB. A folder would come
// as an archive.
var ExportWorkspace = Define[ExportWorkspaceRequest, ExportedObject](Row{
	Name: "workspace_export", Title: "Export notebook or file", Group: Workspace, Effect: Read,
	Method: "GET", Path: "/api/2.0/workspace/export",
	Needs: "CAN_READ on the object", Object: "workspace object {path}", Limit: PerSecond(60),
	Doc:     "Read a notebook or file; untrusted.",
	Did:     "read {}",
	Touches: []Touch{{Scope: ScopeWorkspacePaths, ID: "{path}"}},
})

// ListWorkspaceRequest names a folder.
type ListWorkspaceRequest struct {
	Path                   string `json:"path" jsonschema_description:"Folder"`
	NotebooksModifiedAfter int64  `json:"notebooks_modified_after,omitempty" jsonschema_description:"Epoch ms"`
	Paged
}

// WorkspaceObject is one object. language is set for notebooks, size (bytes) for
// files.
type WorkspaceObject struct {
	Path       string `json:"path"`
	ObjectType string `json:"object_type"`
	Language   string `json:"language"`
	Size       int64  `json:"size"`
}

// WorkspaceList is the answer of workspace/list, in no order.
type WorkspaceList struct {
	Objects []WorkspaceObject `json:"objects"`
}

// ListWorkspace lists one folder, not what is below it.
var ListWorkspace = Define[ListWorkspaceRequest, WorkspaceList](Row{
	Name: "workspace_list", Title: "List workspace folder", Group: Workspace, Effect: Read,
	Method: "GET", Path: "/api/2.0/workspace/list", Items: "objects", Paging: WholeList,
	Needs: "CAN_READ on the folder", Object: "workspace folder {path}", Limit: PerSecond(50),
	Doc:     "List a workspace folder.",
	Did:     "listed {}",
	Touches: []Touch{{Scope: ScopeWorkspacePaths, ID: "{path}"}},
	Shows:   Shown{Scope: ScopeWorkspacePaths, ID: "path"},
})

// GetWorkspaceStatusRequest names an object.
type GetWorkspaceStatusRequest struct {
	Path string `json:"path" jsonschema_description:"Workspace path"`
}

// GetWorkspaceStatus says what stands at a path.
var GetWorkspaceStatus = Define[GetWorkspaceStatusRequest, WorkspaceObject](Row{
	Name: "workspace_get_status", Group: Workspace, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.0/workspace/get-status",
	Needs: "CAN_READ on the object", Object: "workspace object {path}",
})
