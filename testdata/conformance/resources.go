package conformance

import (
	"context"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

func (f *fixtures) addResources() {
	for _, r := range []mcp.ResourceContents{
		mcp.TextResourceContents{URI: "test://static-text", MIMEType: "text/plain", Text: "This is the content of the static text resource."},
		mcp.BlobResourceContents{URI: "test://static-binary", MIMEType: "image/png", Blob: pixel},
		mcp.TextResourceContents{URI: "test://watched-resource", MIMEType: "text/plain", Text: "Nothing has changed."},
	} {
		f.server.AddResource(describe(r), func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			return []mcp.ResourceContents{r}, nil
		})
	}
	template := mcp.NewResourceTemplate("test://template/{id}/data", "template",
		mcp.WithTemplateDescription("A template of resources"), mcp.WithTemplateMIMEType("application/json"))
	f.server.AddResourceTemplate(template, func(_ context.Context, request mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
		uri := request.Params.URI
		id := strings.TrimSuffix(strings.TrimPrefix(uri, "test://template/"), "/data")
		return []mcp.ResourceContents{mcp.TextResourceContents{
			URI: uri, MIMEType: "application/json", Text: fmt.Sprintf(`{"id":%q,"templateTest":true,"data":%q}`, id, "Data for ID: "+id),
		}}, nil
	})
	server.WithPromptCompletionProvider(nothing{})(f.server)
	server.WithResourceCompletionProvider(nothing{})(f.server)
}

func describe(contents mcp.ResourceContents) mcp.Resource {
	uri, media := "", ""
	switch c := contents.(type) {
	case mcp.TextResourceContents:
		uri, media = c.URI, c.MIMEType
	case mcp.BlobResourceContents:
		uri, media = c.URI, c.MIMEType
	}
	return mcp.Resource{URI: uri, Name: strings.TrimPrefix(uri, "test://"), Description: "A resource that does not change", MIMEType: media}
}

// nothing completes arguments by nothing.
type nothing struct{}

func (nothing) CompletePromptArgument(context.Context, string, mcp.CompleteArgument, mcp.CompleteContext) (*mcp.Completion, error) {
	return &mcp.Completion{Values: []string{}}, nil
}

func (nothing) CompleteResourceArgument(context.Context, string, mcp.CompleteArgument, mcp.CompleteContext) (*mcp.Completion, error) {
	return &mcp.Completion{Values: []string{}}, nil
}
