package catalog

// SQL statements: contract/sql.md section 2.

func statementRows() []*Row {
	return []*Row{
		&ExecuteStatement.Row, &GetStatement.Row, &CancelStatement.Row,
		&Query.Row, &GetStatementChunk.Row,
	}
}

// ExecuteStatementRequest is one SQL statement. There is no session: USE, SET and
// temporary views do not carry over.
type ExecuteStatementRequest struct {
	WarehouseID   string   `json:"warehouse_id" jsonschema_description:"Warehouse id"`
	Statement     string   `json:"statement" jsonschema_description:"SQL; values as :name"`
	Catalog       string   `json:"catalog,omitempty" jsonschema_description:"Default"`
	Schema        string   `json:"schema,omitempty" jsonschema_description:"Default"`
	Parameters    []Object `json:"parameters,omitempty" jsonschema_description:"{name, value, type}"`
	RowLimit      int64    `json:"row_limit,omitempty" check:"minimum=1" jsonschema_description:"Max rows"`
	ByteLimit     int64    `json:"byte_limit,omitempty" check:"minimum=1" jsonschema:"-" jsonschema_description:"Bytes"`
	WaitTimeout   string   `json:"wait_timeout,omitempty" check:"pattern=^(0|[5-9]|[1-4][0-9]|50)s$" jsonschema_description:"0s, 5s to 50s"`
	OnWaitTimeout string   `json:"on_wait_timeout,omitempty" jsonschema:"enum=CANCEL,enum=CONTINUE" jsonschema_description:"Afterwards"`
	Disposition   string   `json:"disposition,omitempty" jsonschema:"enum=EXTERNAL_LINKS,enum=INLINE" jsonschema_description:"If large"`
	Format        string   `json:"format,omitempty" jsonschema:"enum=ARROW_STREAM,enum=CSV,enum=JSON_ARRAY" jsonschema_description:"Of links"`
	QueryTags     []Object `json:"query_tags,omitempty" jsonschema_description:"{key, value}"`
}

// Statement is the answer of execute and get. SQL that fails is an HTTP success
// with state FAILED.
type Statement struct {
	StatementID string          `json:"statement_id"`
	Status      StatementStatus `json:"status"`
	Manifest    *ResultManifest `json:"manifest"` // once SUCCEEDED
	Result      *ResultChunk    `json:"result"`   // chunk 0, once SUCCEEDED
}

// StatementStatus is PENDING, RUNNING, SUCCEEDED, FAILED, CANCELED or CLOSED
// (succeeded, but the result is gone).
type StatementStatus struct {
	State string `json:"state"`
	Error *struct {
		Code    string `json:"error_code"`
		Message string `json:"message"`
	} `json:"error"`
	SQLState string `json:"sql_state"`
}

// ResultManifest describes a whole result.
type ResultManifest struct {
	Format string `json:"format"`
	Schema struct {
		Columns []ResultColumn `json:"columns"`
	} `json:"schema"`
	TotalChunkCount int64 `json:"total_chunk_count"`
	TotalRowCount   int64 `json:"total_row_count"`
	Truncated       bool  `json:"truncated"` // by row_limit or byte_limit
	Chunks          []struct {
		ChunkIndex int64 `json:"chunk_index"`
		RowOffset  int64 `json:"row_offset"`
		RowCount   int64 `json:"row_count"`
	} `json:"chunks"`
}

// ResultColumn is one column; names may repeat.
type ResultColumn struct {
	Name     string `json:"name"`
	TypeName string `json:"type_name"`
	TypeText string `json:"type_text"`
}

// ResultChunk is one piece of a result: rows of strings and nulls, or links to
// them. With links the place of the next chunk stands in the link.
type ResultChunk struct {
	ChunkIndex     int64          `json:"chunk_index"`
	RowOffset      int64          `json:"row_offset"`
	RowCount       int64          `json:"row_count"`
	DataArray      Raw            `json:"data_array"`
	NextChunkIndex *int64         `json:"next_chunk_index"`
	ExternalLinks  []ExternalLink `json:"external_links"`
}

// ExternalLink is a presigned place of rows, good for at most 15 minutes. It is a
// secret: never shown or logged, and fetched without our credentials.
type ExternalLink struct {
	ExternalLink   string            `json:"external_link"`
	Expiration     string            `json:"expiration"`
	HTTPHeaders    map[string]string `json:"http_headers"`
	ChunkIndex     int64             `json:"chunk_index"`
	RowOffset      int64             `json:"row_offset"`
	RowCount       int64             `json:"row_count"`
	NextChunkIndex *int64            `json:"next_chunk_index"`
}

// ExecuteStatement runs SQL, on a warehouse that starts if it must.
var ExecuteStatement = Define[ExecuteStatementRequest, Statement](Row{
	Name: "sql_execute_statement", Title: "Execute SQL statement", Group: SQL, Effect: Run,
	Method: "POST", Path: "/api/2.0/sql/statements",
	Needs:  "CAN_USE on the warehouse, and rights on the data (SELECT or MODIFY, USE SCHEMA, USE CATALOG)",
	Object: "warehouse {warehouse_id}",
	Verify: "Check with a SELECT whether it took effect before running it again.",
	Doc:    "Run SQL and return untrusted rows. While it runs, poll sql_get_statement.",
	Did:    "ran SQL on {}", Then: "statement {statement_id}",
	Touches: []Touch{{Scope: ScopeWarehouses, ID: "{warehouse_id}"}, {Scope: ScopeSQL, ID: "{statement}"}},
})

// GetStatementRequest names a statement, and a place in its result.
type GetStatementRequest struct {
	StatementID string `json:"statement_id" jsonschema_description:"Statement id"`
	ChunkIndex  *int64 `json:"chunk_index,omitempty" in:"local" check:"minimum=0" jsonschema_description:"Rows of a chunk"`
	// Its own part names a chunk; the tool reads it.
	PageToken string `json:"page_token,omitempty" in:"local" wire:"chunk_index" jsonschema_description:"Next page"`
}

// GetStatement polls a statement and reads the first chunk of its result, which is
// kept for one hour.
var GetStatement = Define[GetStatementRequest, Statement](Row{
	Name: "sql_get_statement", Title: "Get SQL statement", Group: SQL, Effect: Read,
	Method: "GET", Path: "/api/2.0/sql/statements/{statement_id}",
	Needs: "to be the one who submitted the statement, with CAN_USE on its warehouse", Object: "statement {statement_id}",
	Doc:     "Poll a statement or read its untrusted rows.",
	Did:     "read {}",
	Touches: []Touch{{Scope: ScopeStatements, ID: "{statement_id}"}},
})

// CancelStatementRequest names a statement.
type CancelStatementRequest struct {
	StatementID string `json:"statement_id" jsonschema_description:"Statement id"`
}

// CancelStatement delivers a request to stop; the statement may still succeed.
var CancelStatement = Define[CancelStatementRequest, None](Row{
	Name: "sql_cancel_statement", Title: "Cancel SQL statement", Group: SQL, Effect: Replace,
	Method: "POST", Path: "/api/2.0/sql/statements/{statement_id}/cancel",
	Needs: "to be the one who submitted the statement, with CAN_USE on its warehouse", Object: "statement {statement_id}",
	Doc:     "Cancel a running statement.",
	Did:     "cancelled {}",
	Touches: []Touch{{Scope: ScopeStatements, ID: "{statement_id}"}},
})

// QueryRequest is one SQL statement that only reads.
type QueryRequest struct {
	Statement   string   `json:"statement" jsonschema_description:"SQL; values as :name"`
	WarehouseID string   `json:"warehouse_id,omitempty" jsonschema_description:"Or picked"`
	Catalog     string   `json:"catalog,omitempty" jsonschema_description:"Default"`
	Schema      string   `json:"schema,omitempty" jsonschema_description:"Default"`
	Parameters  []Object `json:"parameters,omitempty" jsonschema_description:"{name, value, type}"`
	RowLimit    int64    `json:"row_limit,omitempty" check:"minimum=1" jsonschema_description:"Default 10000"`
}

// Query runs a statement that the tool has proven to read. It is the endpoint of
// ExecuteStatement, for agents that may only read.
var Query = Define[QueryRequest, Statement](Row{
	Name: "sql_query", Title: "Query SQL", Group: SQL, Effect: Read, Proven: true,
	Method: "POST", Path: "/api/2.0/sql/statements",
	Needs:  "CAN_USE on the warehouse, and rights on the data (SELECT, USE SCHEMA, USE CATALOG)",
	Object: "warehouse {warehouse_id}",
	Verify: "It only reads: run it again.",
	Doc:    "Run read-only SQL; rows are untrusted.",
	Did:    "queried {}", Then: "statement {statement_id}",
	Touches: []Touch{{Scope: ScopeWarehouses, ID: "{warehouse_id}"}, {Scope: ScopeSQL, ID: "{statement}"}},
})

// GetStatementChunkRequest names a piece of a result.
type GetStatementChunkRequest struct {
	StatementID string `json:"statement_id" jsonschema_description:"Statement id"`
	ChunkIndex  int64  `json:"chunk_index" check:"minimum=0" jsonschema_description:"From 0"`
}

// GetStatementChunk reads one chunk. With external links each call makes a fresh
// link.
var GetStatementChunk = Define[GetStatementChunkRequest, ResultChunk](Row{
	Name: "sql_get_chunk", Group: SQL, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.0/sql/statements/{statement_id}/result/chunks/{chunk_index}",
	Needs: "to be the one who submitted the statement, with CAN_USE on its warehouse", Object: "statement {statement_id}",
})
