package catalog

// DBFS, the old file system: contract/files.md part B. Content is base64 in JSON,
// at most 1 MB a call; all calls share one rate.

// PutDBFSRequest is a file and where its bytes come from.
type PutDBFSRequest struct {
	Path           string `json:"path" jsonschema_description:"DBFS path"`
	Contents       string `json:"contents,omitempty" audit:"hide" in:"local" jsonschema_description:"Text"`
	ContentsBase64 string `json:"contents_base64,omitempty" audit:"hide" in:"local" jsonschema_description:"Or bytes"`
	LocalPath      string `json:"local_path,omitempty" in:"local" jsonschema_description:"Or file"`
	Overwrite      bool   `json:"overwrite,omitempty" jsonschema_description:"Default false"`
}

// PutDBFS writes a file: in one call up to 1 MB, else by create, add-block, close.
var PutDBFS = Define[PutDBFSRequest, None](Row{
	Name: "dbfs_put", Title: "Write DBFS file", Group: Files, Effect: Replace,
	Method: "POST", Path: "/api/2.0/dbfs/put",
	Needs: "no permission of its own, but a workspace in which DBFS is enabled", Object: "DBFS file {path}", Limit: dbfsLimit,
	OneOf:   []string{"contents", "contents_base64", "local_path"},
	Doc:     "Write a legacy DBFS file.",
	Did:     "wrote {}",
	Touches: []Touch{{Scope: ScopeVolumes, ID: "dbfs:{path}"}},
})

// ReadDBFSRequest is a file and the range wanted of it.
type ReadDBFSRequest struct {
	Path   string `json:"path" jsonschema_description:"DBFS path"`
	Offset int64  `json:"offset,omitempty" check:"minimum=0" jsonschema_description:"First byte"`
	Length int64  `json:"length,omitempty" check:"minimum=0,maximum=1048576" jsonschema_description:"Bytes"`
}

// DBFSBlock is a piece of a file; bytes_read counts decoded bytes and falls short
// at the end of the file.
type DBFSBlock struct {
	BytesRead int64  `json:"bytes_read"`
	Data      string `json:"data"`
}

// ReadDBFS reads a piece of a file.
var ReadDBFS = Define[ReadDBFSRequest, DBFSBlock](Row{
	Name: "dbfs_read", Title: "Read DBFS file", Group: Files, Effect: Read,
	Method: "GET", Path: "/api/2.0/dbfs/read",
	Needs: "no permission of its own, but a workspace in which DBFS is enabled", Object: "DBFS file {path}", Limit: dbfsLimit,
	Doc:     "Read a legacy DBFS file; untrusted.",
	Did:     "read {}",
	Touches: []Touch{{Scope: ScopeVolumes, ID: "dbfs:{path}"}},
})

// CreateDBFSRequest opens a file for writing.
type CreateDBFSRequest struct {
	Path      string `json:"path" jsonschema_description:"DBFS path"`
	Overwrite bool   `json:"overwrite,omitempty" jsonschema_description:"Default false"`
}

// DBFSHandle is an open file. It closes itself after 10 idle minutes.
type DBFSHandle struct {
	Handle int64 `json:"handle"`
}

// CreateDBFS opens a file, which truncates it. A repeat leaves the first handle to
// expire.
var CreateDBFS = Define[CreateDBFSRequest, DBFSHandle](Row{
	Name: "dbfs_create", Group: Files, Effect: Replace, Inner: true,
	Method: "POST", Path: "/api/2.0/dbfs/create",
	Needs: "no permission of its own, but a workspace in which DBFS is enabled", Object: "DBFS file {path}", Limit: dbfsLimit,
})

// AddDBFSBlockRequest is the next at most 1 MB of an open file, in base64.
type AddDBFSBlockRequest struct {
	Handle int64  `json:"handle" jsonschema_description:"From dbfs_create"`
	Data   string `json:"data" jsonschema_description:"Base64"`
}

// AddDBFSBlock appends, so it must never be repeated when its fate is unknown.
var AddDBFSBlock = Define[AddDBFSBlockRequest, None](Row{
	Name: "dbfs_add_block", Group: Files, Effect: Create, Inner: true,
	Method: "POST", Path: "/api/2.0/dbfs/add-block",
	Needs: "no permission of its own, but a workspace in which DBFS is enabled", Limit: dbfsLimit,
	Verify: "The file is incomplete: write it again with overwrite=true.",
})

// CloseDBFSRequest names an open file.
type CloseDBFSRequest struct {
	Handle int64 `json:"handle" jsonschema_description:"From dbfs_create"`
}

// CloseDBFS removes a handle; on a repeat "missing" means that it is done.
var CloseDBFS = Define[CloseDBFSRequest, None](Row{
	Name: "dbfs_close", Group: Files, Effect: Delete, Inner: true,
	Method: "POST", Path: "/api/2.0/dbfs/close",
	Needs: "no permission of its own, but a workspace in which DBFS is enabled", Limit: dbfsLimit,
})

// GetDBFSStatusRequest names a file.
type GetDBFSStatusRequest struct {
	Path string `json:"path" jsonschema_description:"DBFS path"`
}

// DBFSStatus is a file's size in bytes, and when it changed (epoch ms).
type DBFSStatus struct {
	Path             string `json:"path"`
	IsDir            bool   `json:"is_dir"`
	FileSize         int64  `json:"file_size"`
	ModificationTime int64  `json:"modification_time"`
}

// GetDBFSStatus looks a file up.
var GetDBFSStatus = Define[GetDBFSStatusRequest, DBFSStatus](Row{
	Name: "dbfs_get_status", Group: Files, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.0/dbfs/get-status",
	Needs: "no permission of its own, but a workspace in which DBFS is enabled", Object: "DBFS file {path}", Limit: dbfsLimit,
})
