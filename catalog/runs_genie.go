package catalog

import "time"

// genieLimit is the workspace's own, over all spaces and best effort.
var genieLimit = Limit{Bucket: "genie questions", Calls: 5, Per: time.Minute}

const genieNeeds = "CAN_RUN on the Genie space, CAN_USE on its warehouse and SELECT on its tables"

// GenieQuestion is the first of a conversation.
type GenieQuestion struct {
	SpaceID string `json:"space_id" jsonschema_description:"Of the space"`
	Content string `json:"content" jsonschema_description:"The question"`
}

// GenieFollowUp asks on in a conversation.
type GenieFollowUp struct {
	SpaceID        string `json:"space_id" jsonschema_description:"Of the space"`
	ConversationID string `json:"conversation_id" jsonschema_description:"Of the conversation"`
	Content        string `json:"content" jsonschema_description:"The question"`
}

// GenieConversation is the answer of the first question.
type GenieConversation struct {
	ConversationID string        `json:"conversation_id"`
	MessageID      string        `json:"message_id"`
	Message        *GenieMessage `json:"message"`
}

// GenieMessage is a question and what came of it. COMPLETED, FAILED, CANCELLED and
// QUERY_RESULT_EXPIRED are final; any other status is on the way.
type GenieMessage struct {
	MessageID      string            `json:"message_id"`
	LegacyID       string            `json:"id"` // the same, of older workspaces
	ConversationID string            `json:"conversation_id"`
	Status         string            `json:"status"`
	Attachments    []GenieAttachment `json:"attachments"`
	Error          *struct {
		Error string `json:"error"`
		Type  string `json:"type"`
	} `json:"error"`
}

// GenieAttachment has one member set.
type GenieAttachment struct {
	AttachmentID string `json:"attachment_id"`
	Query        *struct {
		Title       string `json:"title"`
		Description string `json:"description"`
		Query       string `json:"query"`
		StatementID string `json:"statement_id"`
		Parameters  Raw    `json:"parameters"` // [{keyword, sql_type, value}] of the query's markers
		Metadata    *struct {
			RowCount    int64 `json:"row_count"`
			IsTruncated bool  `json:"is_truncated"`
		} `json:"query_result_metadata"`
	} `json:"query"`
	Text *struct {
		Content string `json:"content"`
		Purpose string `json:"purpose"` // FOLLOW_UP_QUESTION: Genie asks back
	} `json:"text"`
	Suggested *struct {
		Questions []string `json:"questions"`
	} `json:"suggested_questions"`
}

// StartConversation asks the first question of a conversation.
var StartConversation = Define[GenieQuestion, GenieConversation](Row{
	Name: "supervisor_start_conversation", Group: Supervisor, Effect: Run, Inner: true,
	Method: "POST", Path: "/api/2.0/genie/spaces/{space_id}/start-conversation",
	Needs: genieNeeds, Object: "Genie space {space_id}", Limit: genieLimit,
	Verify: "Genie only reads: asking again is harmless, but counts against 5 questions a minute.",
})

// AskGenie asks the next question of a conversation. One runs at a time.
var AskGenie = Define[GenieFollowUp, GenieMessage](Row{
	Name: "supervisor_ask_genie", Group: Supervisor, Effect: Run, Inner: true,
	Method: "POST", Path: "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages",
	Needs: genieNeeds, Object: "Genie space {space_id}", Limit: genieLimit,
	Verify: "Genie only reads: asking again is harmless, but counts against 5 questions a minute.",
})

// GenieMessageName names a message.
type GenieMessageName struct {
	SpaceID        string `json:"space_id" jsonschema_description:"Of the space"`
	ConversationID string `json:"conversation_id" jsonschema_description:"Of the conversation"`
	MessageID      string `json:"message_id" jsonschema_description:"Of the message"`
}

// GetGenieMessage polls a message.
var GetGenieMessage = Define[GenieMessageName, GenieMessage](Row{
	Name: "supervisor_get_genie_message", Group: Supervisor, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages/{message_id}",
	Needs: genieNeeds, Object: "message {message_id}",
})

// GenieAttachmentName names an attachment with a query.
type GenieAttachmentName struct {
	SpaceID        string `json:"space_id" jsonschema_description:"Of the space"`
	ConversationID string `json:"conversation_id" jsonschema_description:"Of the conversation"`
	MessageID      string `json:"message_id" jsonschema_description:"Of the message"`
	AttachmentID   string `json:"attachment_id" jsonschema_description:"Of the attachment"`
}

// GenieResult is the result of a query, in the form that statements have.
type GenieResult struct {
	Statement Statement `json:"statement_response"`
}

// GetGenieResult reads the rows of a query.
var GetGenieResult = Define[GenieAttachmentName, GenieResult](Row{
	Name: "supervisor_get_genie_result", Group: Supervisor, Effect: Read, Inner: true,
	Method: "GET", Path: "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages/{message_id}/attachments/{attachment_id}/query-result",
	Needs: genieNeeds, Object: "query {attachment_id}",
})

// RunGenieQuery runs a query again whose rows have expired.
var RunGenieQuery = Define[GenieAttachmentName, GenieResult](Row{
	Name: "supervisor_run_genie_query", Group: Supervisor, Effect: Run, Inner: true,
	Method: "POST", Path: "/api/2.0/genie/spaces/{space_id}/conversations/{conversation_id}/messages/{message_id}/attachments/{attachment_id}/execute-query",
	Needs: genieNeeds, Object: "query {attachment_id}",
	Verify: "It only reads: ask for the rows again.",
})
