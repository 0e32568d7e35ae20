package sandbox

import (
	"context"
	"errors"

	"brickmcp/transport/sandbox/engine"

	"github.com/mark3labs/mcp-go/server"
)

// appMCP is an app with an MCP server at /mcp (contract mcp.md, section 1). By
// convention its name begins with mcp-.
const appMCP = "mcp"

func (as *apps) serveMCP() {
	for _, method := range []string{"POST", "GET", "DELETE"} {
		as.serve(method, "/mcp", map[string]handler{appMCP: func(r *request) (any, error) {
			return as.w.managed.answer(r, as.stockTools(r.user))
		}})
	}
}

// stockTools read with the rights of the user on whose behalf the app is called.
func (as *apps) stockTools(user *principal) []server.ServerTool {
	const level = "SELECT sum(i.on_hand) AS pieces, count(*) AS shelves FROM main.retail.inventory i JOIN main.retail.products p USING (product_id) WHERE p.category = :category"
	return []server.ServerTool{
		managedTool("stock_level", "Pieces in stock of a category of products", needing("category"), true,
			func(ctx context.Context, given object, _ map[string]any) (any, error) {
				category := textOf(given, "category")
				rows, err := as.w.lakehouse.query(ctx, user, level, engine.Parameter{Name: "category", Type: "STRING", Value: &category})
				if err != nil {
					_, message, _ := explain(err)
					return nil, errors.New(message)
				}
				if len(rows.rows) == 0 || rows.rows[0][1] == "0" {
					return nil, errors.New("There is no category " + category + ".")
				}
				return object{"category": category, "pieces": rows.rows[0][0], "shelves": rows.rows[0][1]}, nil
			}),
	}
}
