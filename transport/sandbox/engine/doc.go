// Package engine executes Databricks SQL on SQLite (modernc.org/sqlite), for
// the sandbox workspace. It is no HTTP and no catalog: what exists is asked of
// a Catalog, rows go to a Sink.
//
// A statement is tokenized, parsed and analysed: names are resolved in three
// levels and checked against the session's privileges, each expression gets its
// Databricks type by Spark's ANSI rules, and only then is SQLite text written.
// So mistakes come back as Databricks words them, results have exact types, and
// nothing of SQLite shows. Functions that SQLite lacks are Go callbacks (see
// functions.go for the list, also SHOW FUNCTIONS).
//
// What differs from Databricks:
//
//   - DECIMAL is a double rounded to its scale after each operation: exact to
//     about 15 significant digits.
//   - Time zone is UTC; TIMESTAMP_NTZ is TIMESTAMP; VARIANT is its JSON text;
//     VARCHAR and CHAR are STRING without a length check.
//   - An integer result is checked for overflow when it is delivered, not at
//     each operation; NaN and infinities read from text become NULL.
//   - A NUL character ends a string when it is delivered or given to a function.
//   - Regular expressions are RE2: no look-around, no back references.
//   - hash and xxhash64 are stable but not Spark's; rand ignores its seed;
//     approx_count_distinct and the percentiles are exact.
//   - Constraints, clustering, partitions, OPTIMIZE, VACUUM and ANALYZE are
//     accepted and change nothing; there is no table history beyond creation.
//   - A view is read with the rights it was created under: its owner is not
//     checked again.
//
// Not supported, with a clear UNSUPPORTED_FEATURE error: GROUPING SETS, ROLLUP
// and CUBE, PIVOT, TABLESAMPLE, NATURAL and lateral subquery joins, time
// travel, INTERSECT ALL and EXCEPT ALL, LIKE ANY, row values, named arguments,
// user-defined functions, temporary and materialized views, COPY INTO and
// other statements on files, lambdas of several parameters, intervals that mix
// months with days.
package engine
