package engine

import (
	"strconv"
	"strings"
)

// A function is declared by a signature and a SQLite template:
//
//	"s,i?:s"  one STRING, an optional BIGINT, gives STRING
//
// Letters: s STRING, i INT, l BIGINT, d DOUBLE, b BOOLEAN, D DATE, T TIMESTAMP,
// B BINARY, n any numeric type, a anything, A any array, J anything as JSON
// text; c the common type of all c's. "?" marks the optional parameters, "*"
// repeats the last one. A result may also be 1 (the type of the first
// argument), e (the element type of the first argument) or As (an array of s).
// The template is the name of a SQLite function, or text with $1, $2 …
type function struct{ sig, sql string }

func errArgCount(name, want string, got int) error {
	return newError("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", "42605", "The %s requires %s parameters but the actual number is %d.", quoteParts([]string{name}), want, got)
}

var typeLetters = map[string]Type{
	"s": Scalar(String), "i": Scalar(Int), "l": Scalar(Long), "d": Scalar(Double), "b": Scalar(Boolean), "D": Scalar(Date),
	"T": Scalar(Timestamp), "B": Scalar(Binary), "As": ArrayOf(Scalar(String)), "f": Scalar(Float), "S": Scalar(Short), "y": Scalar(Byte),
	"v": Scalar(Null),
}

// call analyses a function call of any sort.
func (a *analyzer) call(c *callExpr, sc *scope) (value, error) {
	if alias, ok := functionAliases[c.name]; ok {
		renamed := *c
		renamed.name = alias
		c = &renamed
	}
	if c.over != nil {
		return a.windowCall(c, sc)
	}
	if _, ok := aggregates[c.name]; ok {
		return a.aggregateCall(c, sc, "")
	}
	if windowOnly[c.name] != "" {
		return value{}, newError("WINDOW_FUNCTION_WITHOUT_OVER_CLAUSE", "42601", "Window function %q requires an OVER clause.", pretty(c))
	}
	if c.distinct || c.filter != nil || c.star {
		if _, known := functions[c.name]; known {
			return value{}, newError("INVALID_SQL_SYNTAX.FUNCTION_WITH_UNSUPPORTED_SYNTAX", "42000", "Invalid SQL syntax: The function %s does not support DISTINCT, FILTER or *.", quoteParts([]string{c.name}))
		}
	}
	if f, ok := specialFunctions[c.name]; ok {
		return f(a, c, sc)
	}
	if generators[c.name] {
		return value{}, newError("UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS", "42K0E", "The generator is not supported: nested in expressions %q.", pretty(c))
	}
	f, ok := functions[c.name]
	if !ok {
		return value{}, errRoutine(c.name)
	}
	return a.simpleCall(c, f, sc)
}

func errRoutine(name string) error {
	return newError("UNRESOLVED_ROUTINE", "42883", "Cannot resolve routine %s on search path [`system`.`builtin`, `system`.`session`].\nVerify the spelling of %s, check that the routine exists, and confirm you have USE privilege on the catalog and schema, and EXECUTE on the routine.",
		quoteParts(strings.Split(name, ".")), quoteParts(strings.Split(name, ".")))
}

func (a *analyzer) simpleCall(c *callExpr, f function, sc *scope) (value, error) {
	params, result, _ := strings.Cut(f.sig, ":")
	args, err := a.arguments(c, params, sc)
	if err != nil {
		return value{}, err
	}
	var t Type
	switch result {
	case "1":
		t = args[0].typ
	case "c":
		t = args[strings.Count(params[:strings.Index(params, "c")], ",")].typ
	case "e":
		t = *args[0].typ.Elem
	default:
		t = typeLetters[result]
	}
	return with(expand(f.sql, args), t, args...), nil
}

// arguments analyses and converts the arguments as a signature says.
func (a *analyzer) arguments(c *callExpr, params string, sc *scope) ([]value, error) {
	var letters []string
	required, repeat := 0, false
	if params != "" {
		letters = strings.Split(params, ",")
	}
	for i, l := range letters {
		switch {
		case strings.HasSuffix(l, "?"):
			letters[i] = strings.TrimSuffix(l, "?")
		case strings.HasSuffix(l, "*"):
			letters[i] = strings.TrimSuffix(l, "*")
			repeat = true
			required++
		default:
			required++
		}
	}
	if len(c.args) < required || len(c.args) > len(letters) && !repeat {
		want := strconv.Itoa(required)
		if repeat {
			want = "> " + strconv.Itoa(required-1)
		} else if required < len(letters) {
			want = "[" + want + ", " + strconv.Itoa(len(letters)) + "]"
		}
		return nil, errArgCount(c.name, want, len(c.args))
	}
	letter := func(i int) string { return letters[min(i, len(letters)-1)] }
	args := make([]value, len(c.args))
	common := Scalar(Null)
	for i, x := range c.args {
		v, err := a.expr(x, sc)
		if err != nil {
			return nil, err
		}
		args[i] = v
		if letter(i) == "c" {
			t, ok := commonType(common, v.typ)
			if !ok {
				return nil, errMismatch("DATA_DIFF_TYPES", "Cannot resolve %q due to data type mismatch: Input to %s should all be the same type, but it's (%q or %q).", pretty(c), quoteParts([]string{c.name}), common, v.typ)
			}
			common = t
		}
	}
	for i := range args {
		var err error
		if args[i], err = a.convertArgument(c, i, args[i], letter(i), common); err != nil {
			return nil, err
		}
	}
	return args, nil
}

func (a *analyzer) convertArgument(c *callExpr, i int, v value, letter string, common Type) (value, error) {
	wrong := func(want string) error {
		return errMismatch("UNEXPECTED_INPUT_TYPE", "Cannot resolve %q due to data type mismatch: The %s parameter requires the %s type, however %q has the type %q.",
			pretty(c), ordinalWord(i), want, pretty(c.args[i]), v.typ)
	}
	switch letter {
	case "a":
		return v, nil
	case "c":
		return castTo(v, common, false)
	case "J":
		return with(toJSON(v), v.typ, v), nil
	case "A":
		if v.typ.Kind != Array {
			return v, wrong(`"ARRAY"`)
		}
		return v, nil
	case "n":
		if v.typ.Kind == String {
			return castTo(v, Scalar(Double), false)
		}
		if v.typ.Kind == Null {
			return null(Scalar(Double)), nil
		}
		if !v.typ.isNumeric() {
			return v, wrong(`"NUMERIC"`)
		}
		return v, nil
	}
	t := typeLetters[letter]
	implicit := v.typ.Kind == Null || v.typ.equal(t) || t.Kind == String || v.typ.Kind == String && !t.isNested() ||
		v.typ.isNumeric() && t.isNumeric() || v.typ.isTemporal() && t.isTemporal()
	if !implicit {
		return v, wrong(strconv.Quote(t.String()))
	}
	return castTo(v, t, false)
}

func ordinalWord(i int) string {
	words := []string{"first", "second", "third", "fourth", "fifth"}
	if i < len(words) {
		return words[i]
	}
	return strconv.Itoa(i+1) + "th"
}

// expand fills a template with the arguments.
func expand(template string, args []value) string {
	if !strings.Contains(template, "$") {
		parts := make([]string, len(args))
		for i, v := range args {
			parts[i] = v.sql
		}
		if strings.HasSuffix(template, ")") {
			return template
		}
		return template + "(" + strings.Join(parts, ", ") + ")"
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(template, '$')
		if i < 0 {
			b.WriteString(template)
			return b.String()
		}
		b.WriteString(template[:i])
		n := int(template[i+1] - '1')
		if n < len(args) {
			b.WriteString(args[n].sql)
		} else {
			b.WriteString("NULL")
		}
		template = template[i+2:]
	}
}
