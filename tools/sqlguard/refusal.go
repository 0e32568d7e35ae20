package sqlguard

import (
	"strings"
	"unicode/utf8"
)

// useWrite is the way out for what is no read.
const useWrite = "Use sql_execute_statement."

// beginRead is for a first word that may be misspelt.
const beginRead = "Begin with SELECT, WITH, VALUES, TABLE, SHOW, DESCRIBE or EXPLAIN; sql_execute_statement takes any SQL."

// refusalAt makes the refusal of src[start:stop].
func refusalAt(src string, start, stop int, reason, instead string) *Refusal {
	before := src[:start]
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	token := src[start:stop]
	if len(token) > 64 {
		cut := 64
		for cut > 0 && !utf8.RuneStart(token[cut]) {
			cut--
		}
		token = token[:cut]
	}
	return &Refusal{Token: strings.ToValidUTF8(token, "\ufffd"), Line: line, Column: column, Reason: reason, Instead: instead}
}

// caught turns a refusal that was thrown into an error. The reader throws,
// because nearly every line of it may refuse.
func caught(err *error) {
	switch r := recover().(type) {
	case nil:
	case *Refusal:
		*err = r
	default:
		panic(r)
	}
}
