package sandbox

import (
	"encoding/json"
	"hash/fnv"
	"math"
	"net/http"
)

// predict answers a model that is no agent. The feedback model takes anything
// and always answers success; the others want their columns.
func (in *invocation) predict() (object, error) {
	rows, err := in.rows()
	if err != nil {
		return nil, err
	}
	if in.entity.Name == feedbackModel {
		return object{"predictions": object{"result": "ok"}}, nil
	}
	predictions := []float64{}
	for _, row := range rows {
		var sum float64
		for i, column := range in.entity.model.inputs {
			v, there := row[column]
			if !there {
				return nil, in.mismatch(column)
			}
			n, ok := v.(json.Number)
			x, err := n.Float64()
			if !ok || err != nil {
				return nil, failure(http.StatusBadRequest, "BAD_REQUEST", "Failed to enforce schema of data. Error: Incompatible input types for column "+column+". Can not safely convert object to float64.")
			}
			sum += x / math.Pow(10, float64(i+1))
		}
		predictions = append(predictions, math.Round(1000/(1+math.Exp(sum-1)))/1000)
	}
	return object{"predictions": predictions}, nil
}

// rows reads the four ways to send a table: records, columns with data, a list
// of instances, a map of columns.
func (in *invocation) rows() ([]object, error) {
	bad := func(why string) ([]object, error) {
		return nil, failure(http.StatusBadRequest, "BAD_REQUEST", "Invalid input. "+why)
	}
	var given []string
	for _, key := range []string{"dataframe_records", "dataframe_split", "instances", "inputs"} {
		if _, ok := in.request[key]; ok {
			given = append(given, key)
		}
	}
	if len(given) != 1 {
		return bad("The input must be a JSON object with exactly one of the keys 'dataframe_split', 'dataframe_records', 'instances' and 'inputs'.")
	}
	switch v := in.request[given[0]].(type) {
	case []any:
		var rows []object
		for _, r := range v {
			row, ok := r.(object)
			if !ok {
				return bad("Each element of " + given[0] + " must be an object of columns.")
			}
			rows = append(rows, row)
		}
		return rows, nil
	case object:
		if given[0] == "inputs" {
			return columnar(v), nil
		}
		var split struct {
			Columns []string `json:"columns"`
			Data    [][]any  `json:"data"`
		}
		if recast(v, &split) != nil || given[0] != "dataframe_split" {
			break
		}
		var rows []object
		for _, cells := range split.Data {
			if len(cells) != len(split.Columns) {
				return bad("dataframe_split has a row of another length than its columns.")
			}
			row := object{}
			for i, name := range split.Columns {
				row[name] = cells[i]
			}
			rows = append(rows, row)
		}
		return rows, nil
	}
	return bad("The value of " + given[0] + " has the wrong form.")
}

// columnar turns columns into rows.
func columnar(columns object) (rows []object) {
	for name, v := range columns {
		cells, ok := v.([]any)
		if !ok {
			cells = []any{v}
		}
		for i, cell := range cells {
			if i == len(rows) {
				rows = append(rows, object{})
			}
			rows[i][name] = cell
		}
	}
	return rows
}

// embed answers an embedding model with short vectors that depend on the text
// alone.
func (in *invocation) embed() (object, error) {
	var texts []any
	switch v := in.request["input"].(type) {
	case string:
		texts = []any{v}
	case []any:
		texts = v
	default:
		return nil, in.mismatch("input")
	}
	data := []object{}
	for i, v := range texts {
		text, ok := v.(string)
		if !ok {
			return nil, failure(http.StatusBadRequest, "BAD_REQUEST", "input must be a string or a list of strings.")
		}
		h := fnv.New64a()
		_, _ = h.Write([]byte(text))
		vector := make([]float64, 8)
		for j := range vector {
			vector[j] = float64(int8(h.Sum64()>>(8*j))) / 128
		}
		data = append(data, object{"object": "embedding", "index": i, "embedding": vector})
	}
	return object{"object": "list", "data": data, "model": in.endpoint, "usage": object{"prompt_tokens": len(in.raw) / 4, "total_tokens": len(in.raw) / 4}}, nil
}
