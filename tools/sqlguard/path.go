package sqlguard

import (
	"slices"
	"strings"
)

const useVolume = "Use files below /Volumes/, or sql_execute_statement."

// isFileFormat reports whether s may stand before a path: csv.`/Volumes/…`.
func isFileFormat(s string) bool {
	switch lowerASCII(s) {
	case "csv", "json", "parquet", "delta", "text", "avro", "orc", "binaryfile", "xml", "excel":
		return true
	}
	return false
}

// table records a table that is read, or the file that it is. A schema of the
// name csv must be written main.csv.orders: Spark reads csv.orders as a file if
// there is no such table.
func (p *parser) table(n Name) {
	t := &p.toks[p.i-1]
	last := n[len(n)-1]
	path := strings.ContainsAny(last, "/\\:#?*") || len(n) == 2 && strings.Contains(last, ".")
	switch {
	case len(n) == 2 && isFileFormat(n[0]):
		p.path(last, t)
	case path && len(n) == 2:
		p.refuse(t, n[0]+" is no format of files that is known", "Use csv, json, parquet, delta, text, avro, orc, xml or binaryFile.")
	case path:
		p.refuse(t, "a path is no name of a table", "Write the format before it: csv.`/Volumes/…`.")
	case len(n) > 3:
		p.refuse(t, "a table has three names at most: catalog.schema.table", "Leave out what is more.")
	case slices.Contains(n, ""):
		p.refuse(t, "a name is empty", "Name the table.")
	default:
		p.q.Tables = append(p.q.Tables, n)
		if plain, found := withoutVersion(last); found {
			p.q.Tables = append(p.q.Tables, append(slices.Clone(n[:len(n)-1]), plain))
		}
	}
}

// withoutVersion drops the time travel in `orders@v12` or
// `orders@20240101000000000`, which need not belong to the table's name: then
// both are names of what is read.
func withoutVersion(s string) (string, bool) {
	i := strings.LastIndexByte(s, '@')
	if i <= 0 || i+1 == len(s) {
		return "", false
	}
	v := strings.TrimPrefix(lowerASCII(s[i+1:]), "v")
	return s[:i], v != "" && strings.Trim(v, "0123456789") == ""
}

// path records a file that is read.
func (p *parser) path(path string, t *token) {
	switch {
	case !clean(path):
		p.refuse(t, "the path holds .., an escape or a pattern that could lead elsewhere", "Write the path plainly.")
	case strings.HasPrefix(path, "/Volumes") && strings.Count(strings.Trim(path, "/"), "/") < 3:
		p.refuse(t, "the path names no volume", "Write /Volumes/catalog/schema/volume/….")
	case p.Path == nil && !strings.HasPrefix(path, "/Volumes/"):
		p.refuse(t, "the file is not below /Volumes/", useVolume)
	case p.Path != nil && !p.Path(path):
		p.refuse(t, "the file may not be read here", useVolume)
	}
	p.q.Paths = append(p.q.Paths, path)
}

// clean reports whether a path names what it seems to: no step up, no
// encoding, and no list in which a second path could hide.
func clean(path string) bool {
	if strings.Contains(path, "..") || strings.ContainsAny(path, "%\\,;{}`'\"\n\r\t") {
		return false
	}
	// A colon ends a scheme, and nothing else.
	scheme, rest, found := strings.Cut(path, ":")
	if !found {
		scheme, rest = "", path
	}
	if strings.Contains(scheme, "/") || strings.Contains(rest, ":") {
		return false
	}
	segments := strings.Split(strings.TrimSuffix(strings.TrimLeft(rest, "/"), "/"), "/")
	for i, s := range segments {
		// A pattern must not choose among catalogs, schemas and volumes.
		if s == "" || s == "." || i < 4 && segments[0] == "Volumes" && strings.ContainsAny(s, "*?[") {
			return false
		}
	}
	return !strings.HasPrefix(path, "//")
}

// readFilesOption reports whether an argument of read_files only says how to
// read. badRecordsPath and schemaLocation write; others name further files.
func readFilesOption(name string) bool {
	_, found := slices.BinarySearch(readFilesOptions[:], lowerASCII(name))
	return found
}

var readFilesOptions = [...]string{
	"allowbackslashescapinganycharacter", "allowcomments", "allownonnumericnumbers", "allownumericleadingzeros",
	"allowsinglequotes", "allowunquotedcontrolchars", "allowunquotedfieldnames", "attributeprefix", "charset",
	"chartoescapequoteescaping", "columnnameofcorruptrecord", "comment", "dateformat", "datetimerebasemode",
	"delimiter", "dropfieldifallnull", "emptyvalue", "enabledatetimeparsingfallback", "encoding", "escape",
	"excludeattribute", "filenamepattern", "format", "header", "headerrows", "ignorecorruptfiles",
	"ignoreleadingwhitespace", "ignoremissingfiles", "ignorenamespace", "ignoresurroundingspaces",
	"ignoretrailingwhitespace", "infercolumntypes", "inferschema", "infertimestamp", "int96rebasemode", "linesep",
	"locale", "maxcharspercolumn", "maxcolumns", "maxfiles", "mergeschema", "mode", "modifiedafter",
	"modifiedbefore", "multiline", "nullvalue", "partitioncolumns", "pathglobfilter", "preferdate",
	"prefersdecimal", "primitivesasstring", "quote", "readercasesensitive", "recursivefilelookup",
	"rescueddatacolumn", "rowtag", "samplingratio", "schema", "schemaevolutionmode", "schemahints", "sep",
	"singlevariantcolumn", "skiprows", "timestampformat", "timestampntzformat", "timezone",
	"unescapedquotehandling", "usestrictglobber", "valuetag", "wholetext",
}
