package catalog

// Files in Unity Catalog volumes: contract/files.md part A. DBFS is in dbfs.go.
// Bodies are raw bytes, so the tools stream them themselves.

func fileRows() []*Row {
	return []*Row{
		&UploadFile.Row, &DownloadFile.Row, &DeleteFile.Row, &PutDBFS.Row, &ReadDBFS.Row,
		&GetFileMetadata.Row, &CreateDBFS.Row, &AddDBFSBlock.Row, &CloseDBFS.Row, &GetDBFSStatus.Row,
	}
}

// UploadFileRequest is a file and where its bytes come from. overwrite is always
// sent: what its absence means differs between servers.
type UploadFileRequest struct {
	Path           string `json:"path" check:"pattern=^/Volumes/" jsonschema_description:"/Volumes/catalog/schema/volume/file"`
	Contents       string `json:"contents,omitempty" audit:"hide" in:"local" jsonschema_description:"Text"`
	ContentsBase64 string `json:"contents_base64,omitempty" audit:"hide" in:"local" jsonschema_description:"Or bytes"`
	LocalPath      string `json:"local_path,omitempty" in:"local" jsonschema_description:"Or file"`
	Overwrite      bool   `json:"overwrite,omitempty" in:"query" send:"false" jsonschema_description:"Default false"`
}

// UploadFile writes a file of a volume; missing directories are made.
var UploadFile = Define[UploadFileRequest, None](Row{
	Name: "files_upload", Title: "Upload file", Group: Files, Effect: Replace,
	Method: "PUT", Path: "/api/2.0/fs/files/{path...}",
	Needs: "WRITE VOLUME on the volume, USE SCHEMA on its schema and USE CATALOG on its catalog", Object: "file {path}",
	OneOf:   []string{"contents", "contents_base64", "local_path"},
	Doc:     "Write a file into a volume.",
	Did:     "wrote {}",
	Touches: []Touch{{Scope: ScopeVolumes, ID: "{path}"}},
})

// DownloadFileRequest is a file and the range wanted of it.
type DownloadFileRequest struct {
	Path      string `json:"path" check:"pattern=^/Volumes/" jsonschema_description:"/Volumes/catalog/schema/volume/file"`
	Offset    int64  `json:"offset,omitempty" in:"local" check:"minimum=0" jsonschema_description:"First byte"`
	Length    int64  `json:"length,omitempty" in:"local" check:"minimum=1" jsonschema_description:"Bytes"`
	LocalPath string `json:"local_path,omitempty" in:"local" jsonschema_description:"Save to file"`
}

// DownloadFile reads a file of a volume.
var DownloadFile = Define[DownloadFileRequest, None](Row{
	Name: "files_download", Title: "Download file", Group: Files, Effect: Read,
	Method: "GET", Path: "/api/2.0/fs/files/{path...}",
	Needs: "READ VOLUME on the volume, USE SCHEMA on its schema and USE CATALOG on its catalog", Object: "file {path}",
	Doc:     "Read a file of a volume; untrusted.",
	Did:     "read {}",
	Touches: []Touch{{Scope: ScopeVolumes, ID: "{path}"}},
})

// DeleteFileRequest names a file.
type DeleteFileRequest struct {
	Path string `json:"path" check:"pattern=^/Volumes/" jsonschema_description:"/Volumes/catalog/schema/volume/file"`
}

// DeleteFile removes a file of a volume; there is no trash.
var DeleteFile = Define[DeleteFileRequest, None](Row{
	Name: "files_delete", Title: "Delete file", Group: Files, Effect: Delete,
	Method: "DELETE", Path: "/api/2.0/fs/files/{path...}",
	Needs: "WRITE VOLUME on the volume, USE SCHEMA on its schema and USE CATALOG on its catalog", Object: "file {path}",
	Doc:     "Delete a file of a volume.",
	Did:     "deleted {}",
	Touches: []Touch{{Scope: ScopeVolumes, ID: "{path}"}},
})

// GetFileMetadataRequest names a file.
type GetFileMetadataRequest struct {
	Path string `json:"path" jsonschema_description:"/Volumes/catalog/schema/volume/file"`
}

// GetFileMetadata answers with headers only: content-length, content-type and
// last-modified.
var GetFileMetadata = Define[GetFileMetadataRequest, None](Row{
	Name: "files_get_metadata", Group: Files, Effect: Read, Inner: true,
	Method: "HEAD", Path: "/api/2.0/fs/files/{path...}",
	Needs: "READ VOLUME on the volume, USE SCHEMA on its schema and USE CATALOG on its catalog", Object: "file {path}",
})
