package engine

// functionAliases are other names of the same function.
var functionAliases = map[string]string{
	"ucase": "upper", "lcase": "lower", "char_length": "length", "character_length": "length", "len": "length",
	"substr": "substring", "mid": "substring", "ceiling": "ceil", "power": "pow", "sign": "signum", "now": "current_timestamp",
	"getdate": "current_timestamp", "curdate": "current_date", "dayofmonth": "day", "to_char": "date_format", "datepart": "date_part",
	"extract": "date_part", "weekofyear": "week", "strpos": "instr", "user": "current_user",
	"session_user": "current_user", "current_database": "current_schema", "date_diff": "datediff", "timestampdiff": "datediff",
	"timestampadd": "dateadd", "array_size": "size", "cardinality": "size", "regexp_like": "rlike", "regexp": "rlike",
	"mean": "avg", "std": "stddev", "stddev_samp": "stddev", "var_samp": "variance", "every": "bool_and", "any": "bool_or",
	"some": "bool_or", "first_value": "first", "last_value": "last", "array_agg": "collect_list", "approx_percentile": "percentile_approx",
	"percentile_cont": "percentile", "string_agg": "listagg", "sha": "sha1", "replicate": "repeat", "printf": "format_string",
	"chr": "char", "position": "locate", "bool": "boolean", "to_varchar": "date_format",
	"ifnull": "coalesce", "nvl": "coalesce", "iff": "if",
}

// functions are the scalar functions that a signature describes; see function.
var functions = map[string]function{
	// strings
	"upper": {"s:s", "x_upper"}, "lower": {"s:s", "x_lower"}, "length": {"s:i", "length"}, "initcap": {"s:s", "x_initcap"},
	"reverse": {"s:s", "x_reverse"}, "trim": {"s:s", "trim"}, "btrim": {"s,s?:s", "trim"}, "repeat": {"s,i:s", "x_repeat"},
	"lpad": {"s,i,s?:s", "x_lpad"}, "rpad": {"s,i,s?:s", "x_rpad"}, "substring": {"s,i,i?:s", "x_substring"},
	"left": {"s,i:s", "x_left"}, "right": {"s,i:s", "x_right"}, "substring_index": {"s,s,i:s", "x_substring_index"},
	"replace": {"s,s,s?:s", "x_replace"}, "translate": {"s,s,s:s", "x_translate"}, "instr": {"s,s:i", "instr"},
	"locate": {"s,s,i?:i", "x_locate"}, "startswith": {"s,s:b", "x_startswith"}, "endswith": {"s,s:b", "x_endswith"},
	"contains": {"s,s:b", "x_contains"}, "split": {"s,s,i?:As", "x_split"}, "split_part": {"s,s,i:s", "x_split_part"},
	"regexp_extract": {"s,s,i?:s", "x_regexp_extract"}, "regexp_extract_all": {"s,s,i?:As", "x_regexp_extract_all"},
	"regexp_replace": {"s,s,s:s", "x_regexp_replace"}, "regexp_count": {"s,s:i", "x_regexp_count"}, "rlike": {"s,s:b", "x_rlike"},
	"ascii": {"s:i", "coalesce(unicode($1), 0)"}, "char": {"l:s", "char"}, "concat_ws": {"s,a*:s", "concat_ws"},
	"format_string": {"s,a*:s", "printf"}, "levenshtein": {"s,s:i", "x_levenshtein"}, "soundex": {"s:s", "soundex"},
	"space": {"i:s", "x_repeat(' ', $1)"}, "md5": {"s:s", "x_md5"}, "sha1": {"s:s", "x_sha1"}, "sha2": {"s,i:s", "x_sha2"},
	"hash": {"J*:i", "x_hash"}, "xxhash64": {"J*:l", "x_xxhash64"}, "crc32": {"s:l", "x_crc32"}, "hex": {"a:s", "x_hex"},
	"base64": {"s:s", "x_base64"}, "unbase64": {"s:s", "x_unbase64"}, "url_encode": {"s:s", "x_url_encode"}, "url_decode": {"s:s", "x_url_decode"},
	"uuid": {":s", "x_uuid()"}, "charindex": {"s,s:i", "instr($2, $1)"},

	// conditions
	"coalesce": {"c*:c", "coalesce"}, "nullif": {"c,c:c", "nullif"}, "if": {"b,c,c:c", "iif"}, "nvl2": {"a,c,c:c", "iif($1 IS NOT NULL, $2, $3)"},
	"isnull": {"a:b", "($1 IS NULL)"}, "isnotnull": {"a:b", "($1 IS NOT NULL)"}, "isnan": {"d:b", "coalesce($1 <> $1, 0)"},
	"equal_null": {"c,c:b", "($1 IS $2)"}, "assert_true": {"b,s?:v", "x_assert_true"}, "raise_error": {"s:v", "x_raise_error"},

	// numbers
	"sqrt": {"d:d", "sqrt"}, "exp": {"d:d", "exp"}, "ln": {"d:d", "ln"}, "log10": {"d:d", "log10"}, "log2": {"d:d", "log2"},
	"log1p": {"d:d", "ln(1 + $1)"}, "pow": {"d,d:d", "pow"}, "sin": {"d:d", "sin"}, "cos": {"d:d", "cos"}, "tan": {"d:d", "tan"}, "asin": {"d:d", "asin"},
	"acos": {"d:d", "acos"}, "atan": {"d:d", "atan"}, "atan2": {"d,d:d", "atan2"}, "radians": {"d:d", "radians"}, "degrees": {"d:d", "degrees"},
	"pi": {":d", "pi()"}, "e": {":d", "exp(1)"}, "cbrt": {"d:d", "x_cbrt"}, "signum": {"n:d", "CAST(sign($1) AS REAL)"},
	"rand": {"l?:d", "x_rand"}, "random": {"l?:d", "x_rand"}, "randn": {"l?:d", "x_randn"}, "try_divide": {"d,d:d", "($1 / nullif($2, 0))"},
	"greatest": {"c,c*:c", "x_greatest"}, "least": {"c,c*:c", "x_least"}, "bin": {"l:s", "x_bin"}, "conv": {"s,i,i:s", "x_conv"},
	"factorial": {"i:l", "x_factorial"}, "width_bucket": {"d,d,d,l:l", "x_width_bucket"}, "format_number": {"n,i:s", "x_format_number"},

	// dates and timestamps
	"year": {"D:i", "x_date_part('YEAR', $1 * 86400000000)"}, "month": {"D:i", "x_date_part('MONTH', $1 * 86400000000)"},
	"day": {"D:i", "x_date_part('DAY', $1 * 86400000000)"}, "quarter": {"D:i", "x_date_part('QUARTER', $1 * 86400000000)"},
	"week": {"D:i", "x_date_part('WEEK', $1 * 86400000000)"}, "dayofweek": {"D:i", "x_date_part('DAYOFWEEK', $1 * 86400000000)"},
	"dayofyear": {"D:i", "x_date_part('DOY', $1 * 86400000000)"}, "weekday": {"D:i", "x_date_part('WEEKDAY', $1 * 86400000000)"},
	"hour": {"T:i", "x_date_part('HOUR', $1)"}, "minute": {"T:i", "x_date_part('MINUTE', $1)"}, "second": {"T:i", "x_date_part('SECOND', $1)"},
	"dayname": {"D:s", "x_date_format($1 * 86400000000, 'EEE')"}, "monthname": {"D:s", "x_date_format($1 * 86400000000, 'MMM')"},
	"date_sub": {"D,i:D", "($1 - $2)"}, "add_months": {"D,i:D", "x_add_months"}, "months_between": {"T,T,b?:d", "x_months_between"},
	"last_day": {"D:D", "x_last_day"}, "next_day": {"D,s:D", "x_next_day"}, "trunc": {"D,s:D", "x_day(x_date_trunc($2, $1 * 86400000000))"},
	"date_trunc": {"s,T:T", "x_date_trunc"}, "date_format": {"T,s:s", "x_date_format"}, "make_date": {"i,i,i:D", "x_make_date"},
	"make_timestamp": {"i,i,i,i,i,d:T", "x_make_timestamp"}, "from_unixtime": {"l,s?:s", "x_from_unixtime"},
	"timestamp_seconds": {"d:T", "CAST($1 * 1000000 AS INTEGER)"}, "timestamp_millis": {"l:T", "($1 * 1000)"}, "timestamp_micros": {"l:T", "$1"},
	"unix_seconds": {"T:l", "x_seconds($1)"}, "unix_millis": {"T:l", "x_seconds($1, 1000)"}, "unix_micros": {"T:l", "$1"}, "unix_date": {"D:i", "$1"},
	"date_from_unix_date": {"i:D", "$1"}, "from_utc_timestamp": {"T,s:T", "x_from_utc"}, "to_utc_timestamp": {"T,s:T", "x_to_utc"},
	"current_timezone": {":s", "'Etc/UTC'"}, "try_to_date": {"s,s?:D", "x_to_date($1, $2, 1)"}, "try_to_timestamp": {"s,s?:T", "x_to_timestamp($1, $2, 1)"},

	// arrays, maps and JSON
	"array_contains": {"A,J:b", "x_array_contains"}, "array_join": {"A,s,s?:s", "x_array_join"}, "array_distinct": {"A:1", "x_array_distinct"},
	"sort_array": {"A,b?:1", "x_sort_array"}, "array_sort": {"A:1", "x_sort_array"}, "array_position": {"A,J:l", "x_array_position"},
	"slice": {"A,i,i:1", "x_slice"}, "array_remove": {"A,J:1", "x_array_remove"}, "array_append": {"A,J:1", "json_insert($1, '$[#]', $2)"},
	"array_union": {"A,A:1", "x_array_distinct(x_array_concat($1, $2))"}, "array_intersect": {"A,A:1", "x_array_intersect"}, "array_except": {"A,A:1", "x_array_except"},
	"arrays_overlap": {"A,A:b", "(x_array_intersect($1, $2) <> '[]')"}, "flatten": {"A:e", "x_flatten"}, "size": {"a:i", "x_size"},
	"get_json_object": {"s,s:s", "x_json_path"}, "json_array_length": {"s:i", "x_size"}, "json_object_keys": {"s:As", "x_map_keys"},
	"to_json": {"a:s", "$1"}, "parse_json": {"s:s", "x_parse_json"}, "is_valid_json": {"s:b", "coalesce(json_valid($1), 0)"},

	// the session
	"version": {":s", "'4.0.0 0000000000000000000000000000000000000000'"}, "monotonically_increasing_id": {":l", "(row_number() OVER () - 1)"},
}
