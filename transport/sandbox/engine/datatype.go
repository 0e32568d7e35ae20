package engine

import (
	"strconv"
	"strings"
)

// Kind is a type's name as result manifests and ColumnInfo spell it (type_name).
type Kind string

// The kinds of the engine, a subset of the contract's ColumnTypeName.
const (
	Null      Kind = "NULL"
	Boolean   Kind = "BOOLEAN"
	Byte      Kind = "BYTE"
	Short     Kind = "SHORT"
	Int       Kind = "INT"
	Long      Kind = "LONG"
	Float     Kind = "FLOAT"
	Double    Kind = "DOUBLE"
	Decimal   Kind = "DECIMAL"
	String    Kind = "STRING"
	Binary    Kind = "BINARY"
	Date      Kind = "DATE"
	Timestamp Kind = "TIMESTAMP"
	Interval  Kind = "INTERVAL"
	Array     Kind = "ARRAY"
	Map       Kind = "MAP"
	Struct    Kind = "STRUCT"
)

// Type is a Databricks SQL type. The zero Type is unknown.
type Type struct {
	Kind             Kind
	Precision, Scale int     // of DECIMAL
	Unit             string  // of INTERVAL: "DAY TO SECOND", "YEAR TO MONTH"
	Key              *Type   // of MAP
	Elem             *Type   // of ARRAY, and the value type of MAP
	Fields           []Field // of STRUCT
}

// Field is one member of a STRUCT.
type Field struct {
	Name string
	Type Type
}

// Scalar makes a type without parameters.
func Scalar(k Kind) Type { return Type{Kind: k} }

// DecimalOf makes DECIMAL(precision, scale).
func DecimalOf(precision, scale int) Type {
	return Type{Kind: Decimal, Precision: precision, Scale: scale}
}

// ArrayOf makes ARRAY<elem>.
func ArrayOf(elem Type) Type { return Type{Kind: Array, Elem: &elem} }

// sqlNames are the kinds whose SQL spelling differs from their type_name.
var sqlNames = map[Kind]string{Null: "VOID", Byte: "TINYINT", Short: "SMALLINT", Long: "BIGINT"}

// String is the SQL spelling, upper case (type_text of a manifest): BIGINT,
// DECIMAL(10,2), ARRAY<STRING>. ColumnInfo.type_text is its lower case.
func (t Type) String() string {
	switch t.Kind {
	case Decimal:
		return "DECIMAL(" + strconv.Itoa(t.Precision) + "," + strconv.Itoa(t.Scale) + ")"
	case Interval:
		return "INTERVAL " + t.Unit
	case Array:
		return "ARRAY<" + t.Elem.String() + ">"
	case Map:
		return "MAP<" + t.Key.String() + ", " + t.Elem.String() + ">"
	case Struct:
		parts := make([]string, len(t.Fields))
		for i, f := range t.Fields {
			parts[i] = f.Name + ": " + f.Type.String()
		}
		return "STRUCT<" + strings.Join(parts, ", ") + ">"
	}
	if name, ok := sqlNames[t.Kind]; ok {
		return name
	}
	return string(t.Kind)
}

// ParseType reads a type as SQL spells it, in any letter case: "bigint",
// "decimal(10,2)", "array<struct<a: int>>". The error is an *Error.
func ParseType(text string) (Type, error) {
	p, err := newParser(text)
	if err != nil {
		return Type{}, err
	}
	t, err := p.dataType()
	if err == nil {
		err = p.end()
	}
	return t, err
}

func (t Type) isInteger() bool {
	return t.Kind == Int || t.Kind == Long || t.Kind == Short || t.Kind == Byte
}
func (t Type) isFloat() bool    { return t.Kind == Double || t.Kind == Float }
func (t Type) isNumeric() bool  { return t.isInteger() || t.isFloat() || t.Kind == Decimal }
func (t Type) isTemporal() bool { return t.Kind == Date || t.Kind == Timestamp }
func (t Type) isNested() bool   { return t.Kind == Array || t.Kind == Map || t.Kind == Struct }

func (t Type) equal(o Type) bool { return t.String() == o.String() }
