SELEC 1
----
error [PARSE_SYNTAX_ERROR] Syntax error at or near 'SELEC'. SQLSTATE: 42601 (line 1, pos 0)

SELECT 1 FROM
----
error [PARSE_SYNTAX_ERROR] Syntax error at or near end of input. SQLSTATE: 42601 (line 1, pos 13)

SELECT * FROM nowhere
----
error [TABLE_OR_VIEW_NOT_FOUND] The table or view `nowhere` cannot be found. Verify the spelling and correctness of the schema and catalog.\nIf you did not qualify the name with a schema, verify the current_schema() output, or qualify the name with the correct schema and catalog.\nTo tolerate the error on drop use DROP VIEW IF EXISTS or DROP TABLE IF EXISTS. SQLSTATE: 42P01

SELECT * FROM main.nope.t
----
error [TABLE_OR_VIEW_NOT_FOUND] The table or view `main`.`nope`.`t` cannot be found. Verify the spelling and correctness of the schema and catalog.\nIf you did not qualify the name with a schema, verify the current_schema() output, or qualify the name with the correct schema and catalog.\nTo tolerate the error on drop use DROP VIEW IF EXISTS or DROP TABLE IF EXISTS. SQLSTATE: 42P01

SELECT * FROM `main`.`sales`.`missing`
----
error [TABLE_OR_VIEW_NOT_FOUND] The table or view `main`.`sales`.`missing` cannot be found. Verify the spelling and correctness of the schema and catalog.\nIf you did not qualify the name with a schema, verify the current_schema() output, or qualify the name with the correct schema and catalog.\nTo tolerate the error on drop use DROP VIEW IF EXISTS or DROP TABLE IF EXISTS. SQLSTATE: 42P01

SELECT custmer FROM orders
----
error [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name `custmer` cannot be resolved. Did you mean one of the following? [`customer`, `ordered`, `status`, `id`, `amount`]. SQLSTATE: 42703

SELECT o.nope FROM orders o JOIN customers c ON o.customer = c.customer
----
error [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name `o`.`nope` cannot be resolved. Did you mean one of the following? [`c`.`name`, `o`.`id`, `o`.`paid`, `o`.`amount`, `o`.`customer`]. SQLSTATE: 42703

SELECT customer FROM orders o JOIN customers c ON o.customer = c.customer
----
error [AMBIGUOUS_REFERENCE] Reference `customer` is ambiguous, could be: [`o`.`customer`, `c`.`customer`]. SQLSTATE: 42704

SELECT no_such_function(1)
----
error [UNRESOLVED_ROUTINE] Cannot resolve routine `no_such_function` on search path [`system`.`builtin`, `system`.`session`].\nVerify the spelling of `no_such_function`, check that the routine exists, and confirm you have USE privilege on the catalog and schema, and EXECUTE on the routine. SQLSTATE: 42883

SELECT length()
----
error [WRONG_NUM_ARGS.WITHOUT_SUGGESTION] The `length` requires 1 parameters but the actual number is 0. SQLSTATE: 42605

SELECT upper('a', 'b')
----
error [WRONG_NUM_ARGS.WITHOUT_SUGGESTION] The `upper` requires 1 parameters but the actual number is 2. SQLSTATE: 42605

SELECT 1 / 0
----
error [DIVIDE_BY_ZERO] Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead. If necessary set "ansi_mode" to "false" to bypass this error. SQLSTATE: 22012

SELECT id / (id - 1) FROM orders
----
error [DIVIDE_BY_ZERO] Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead. If necessary set "ansi_mode" to "false" to bypass this error. SQLSTATE: 22012

SELECT 5 % 0
----
error [DIVIDE_BY_ZERO] Division by zero. Use `try_divide` to tolerate divisor being 0 and return NULL instead. If necessary set "ansi_mode" to "false" to bypass this error. SQLSTATE: 22012

SELECT CAST('abc' AS INT)
----
error [CAST_INVALID_INPUT] The value 'abc' of the type "STRING" cannot be cast to "INT" because it is malformed. Correct the value as per the syntax, or change its target type. Use `try_cast` to tolerate malformed input and return NULL instead. SQLSTATE: 22018

SELECT CAST(customer AS DOUBLE) FROM orders
----
error [CAST_INVALID_INPUT] The value 'ana' of the type "STRING" cannot be cast to "DOUBLE" because it is malformed. Correct the value as per the syntax, or change its target type. Use `try_cast` to tolerate malformed input and return NULL instead. SQLSTATE: 22018

SELECT DATE'2024-02-30'
----
error [INVALID_TYPED_LITERAL] The value of the typed literal "DATE" is invalid: '2024-02-30'. SQLSTATE: 42604 (line 1, pos 7)

SELECT CAST('2024-02-30' AS DATE)
----
error [CAST_INVALID_INPUT] The value '2024-02-30' of the type "STRING" cannot be cast to "DATE" because it is malformed. Correct the value as per the syntax, or change its target type. Use `try_cast` to tolerate malformed input and return NULL instead. SQLSTATE: 22018

SELECT CAST(300 AS TINYINT)
----
error [CAST_OVERFLOW] The value 300 of the type "INT" cannot be cast to "TINYINT" due to an overflow. Use `try_cast` to tolerate overflow and return NULL instead. SQLSTATE: 22003

SELECT 2147483647 + 1
----
error [ARITHMETIC_OVERFLOW] integer overflow. Use try_ functions to tolerate overflow and return NULL instead. If necessary set "ansi_mode" to "false" to bypass this error. SQLSTATE: 22003

SELECT 9223372036854775807 + 1
----
error [ARITHMETIC_OVERFLOW] long overflow. Use try_ functions to tolerate overflow and return NULL instead. If necessary set "ansi_mode" to "false" to bypass this error. SQLSTATE: 22003

SELECT sum(x) FROM VALUES (9223372036854775807), (1) AS t(x)
----
error [ARITHMETIC_OVERFLOW] long overflow. Use try_ functions to tolerate overflow and return NULL instead. If necessary set "ansi_mode" to "false" to bypass this error. SQLSTATE: 22003

SELECT CAST(12345 AS DECIMAL(4,1))
----
error [NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION] The 12345.0 cannot be represented as Decimal(4, 1). If necessary set "ansi_mode" to "false" to bypass this error, and return NULL instead. SQLSTATE: 22003

SELECT customer, sum(amount) FROM orders
----
error [MISSING_GROUP_BY] The query does not include a GROUP BY clause. Add GROUP BY or turn it into the window functions using OVER clauses. SQLSTATE: 42803

SELECT customer, status, sum(amount) FROM orders GROUP BY customer
----
error [MISSING_AGGREGATION] The non-aggregating expression "status" is based on columns which are not participating in the GROUP BY clause.\nAdd the columns or the expression to the GROUP BY, aggregate the expression, or use "any_value(status)" if you do not care which of the values within a group is returned. SQLSTATE: 42803

SELECT sum(sum(amount)) FROM orders
----
error [NESTED_AGGREGATE_FUNCTION] It is not allowed to use an aggregate function in the argument of another aggregate function. Please use the inner aggregate function in a sub-query. SQLSTATE: 42607

SELECT id FROM orders WHERE sum(amount) > 1
----
error [INVALID_WHERE_CONDITION] The WHERE condition "(sum(amount) > 1)" contains invalid expressions: aggregate or window functions.\nRewrite the query to avoid window functions, aggregate functions, and generator functions in the WHERE clause. SQLSTATE: 42903

SELECT id FROM orders WHERE amount
----
error [DATATYPE_MISMATCH.FILTER_NOT_BOOLEAN] Cannot resolve "amount" due to data type mismatch: Filter expression "amount" of type "DECIMAL(10,2)" is not a boolean. SQLSTATE: 42K09

SELECT id FROM orders ORDER BY 7
----
error [ORDER_BY_POS_OUT_OF_RANGE] ORDER BY position 7 is not in select list (valid range is [1, 1]). SQLSTATE: 42805

SELECT id FROM orders GROUP BY 3
----
error [GROUP_BY_POS_OUT_OF_RANGE] GROUP BY position 3 is not in select list (valid range is [1, 1]). SQLSTATE: 42805

SELECT 'unterminated
----
error [PARSE_SYNTAX_ERROR] Syntax error at or near '''. SQLSTATE: 42601 (line 1, pos 7)

SELECT 1 /* open
----
error [UNCLOSED_BRACKETED_COMMENT] Found an unclosed bracketed comment. Please, append */ at the end of the comment. SQLSTATE: 42601 (line 1, pos 9)

SELECT 1; SELECT 2
----
error [PARSE_SYNTAX_ERROR] Syntax error at or near 'SELECT'. SQLSTATE: 42601 (line 1, pos 10)

SELECT (1
----
error [PARSE_SYNTAX_ERROR] Syntax error at or near end of input. SQLSTATE: 42601 (line 1, pos 9)

SELECT * FROM orders WHERE id = :nope
----
error [UNBOUND_SQL_PARAMETER] Found the unbound parameter: nope. Please, fix `args` and provide a mapping of the parameter to either a SQL literal or collection constructor functions such as `map()`, `array()`, `struct()`. SQLSTATE: 42P02

SELECT ?
----
error [UNBOUND_SQL_PARAMETER] Found the unbound parameter: _7. Please, fix `args` and provide a mapping of the parameter to either a SQL literal or collection constructor functions such as `map()`, `array()`, `struct()`. SQLSTATE: 42P02

SELECT DATE'2024-01-01' + 'x'
----
error [DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES] Cannot resolve "(DATE '2024-01-01' + x)" due to data type mismatch: the left and right operands of the binary operator have incompatible types ("DATE" and "DOUBLE"). SQLSTATE: 42K09

SELECT DATE'2024-01-01' = 1
----
error [DATATYPE_MISMATCH.BINARY_OP_DIFF_TYPES] Cannot resolve "(DATE '2024-01-01' = 1)" due to data type mismatch: the left and right operands of the binary operator have incompatible types ("DATE" and "INT"). SQLSTATE: 42K09

SELECT 1 UNION SELECT 1, 2
----
error [NUM_COLUMNS_MISMATCH] UNION can only be performed on inputs with the same number of columns, but the first input has 1 columns and the second input has 2 columns. SQLSTATE: 42826

SELECT 1 UNION SELECT array(1)
----
error [INCOMPATIBLE_COLUMN_TYPE] UNION can only be performed on tables with compatible column types. The column 1 of the second table is "ARRAY<INT>" type which is not compatible with "INT" at the same column of the first table. SQLSTATE: 42825

SELECT row_number() FROM orders
----
error [WINDOW_FUNCTION_WITHOUT_OVER_CLAUSE] Window function "row_number()" requires an OVER clause. SQLSTATE: 42601

SELECT element_at(array(1), 5)
----
error [INVALID_ARRAY_INDEX_IN_ELEMENT_AT] The index 5 is out of bounds. The array has 1 elements. Use `try_element_at` to tolerate accessing element at invalid index and return NULL instead. SQLSTATE: 22003

SELECT array(1)[3]
----
error [INVALID_ARRAY_INDEX] The index 3 is out of bounds. The array has 1 elements. Use the SQL function `get()` to tolerate accessing element at invalid index and return NULL instead. SQLSTATE: 22003

SELECT raise_error('boom')
----
error [USER_RAISED_EXCEPTION] boom SQLSTATE: P0001

SELECT to_date('x', 'yyyy-MM-dd')
----
error [CANNOT_PARSE_TIMESTAMP] Text 'x' could not be parsed as DATE. Use `try_to_timestamp` to tolerate invalid input string and return NULL instead. SQLSTATE: 22007

SELECT (SELECT id, amount FROM orders)
----
error [INVALID_SUBQUERY_EXPRESSION.SCALAR_SUBQUERY_RETURN_MORE_THAN_ONE_OUTPUT_COLUMN] Invalid subquery: Scalar subquery must return only one column, but got 2. SQLSTATE: 42823

SELECT * FROM orders TABLESAMPLE (10 ROWS)
----
error [UNSUPPORTED_FEATURE.SANDBOX] The feature is not supported: TABLESAMPLE is not supported by the sandbox. SQLSTATE: 0A000

SELECT * FROM orders VERSION AS OF 1
----
error [UNSUPPORTED_FEATURE.SANDBOX] The feature is not supported: time travel (VERSION AS OF) is not supported by the sandbox. SQLSTATE: 0A000

SELECT a, b, sum(c) FROM t GROUP BY CUBE (a, b)
----
error [UNSUPPORTED_FEATURE.SANDBOX] The feature is not supported: GROUP BY CUBE is not supported by the sandbox. SQLSTATE: 0A000

COPY INTO orders FROM 's3://x'
----
error [UNSUPPORTED_FEATURE.SANDBOX] The feature is not supported: the statement COPY is not supported by the sandbox. SQLSTATE: 0A000

CREATE FUNCTION f() RETURNS INT RETURN 1
----
error [UNSUPPORTED_FEATURE.SANDBOX] The feature is not supported: CREATE FUNCTION is not supported by the sandbox. SQLSTATE: 0A000

CREATE TABLE orders (a INT)
----
error [TABLE_OR_VIEW_ALREADY_EXISTS] Cannot create table or view `main`.`sales`.`orders` because it already exists.\nChoose a different name, drop or replace the existing object, add the IF NOT EXISTS clause to tolerate pre-existing objects, or add the OR REFRESH clause to refresh the existing streaming table. SQLSTATE: 42P07

CREATE TABLE t (a INT, A STRING)
----
error [COLUMN_ALREADY_EXISTS] The column `a` already exists. Choose another name or rename the existing column. SQLSTATE: 42711

CREATE TABLE t (a NONSENSE)
----
error [UNSUPPORTED_DATATYPE] Unsupported data type "NONSENSE". SQLSTATE: 0A000 (line 1, pos 18)

CREATE TABLE nope.t (a INT)
----
error [SCHEMA_NOT_FOUND] The schema `main`.`nope` cannot be found. Verify the spelling and correctness of the schema and catalog.\nIf you did not qualify the name with a catalog, verify the current_schema() output, or qualify the name with the correct catalog.\nTo tolerate the error on drop use DROP SCHEMA IF EXISTS. SQLSTATE: 42704

CREATE TABLE nocatalog.s.t (a INT)
----
error [NO_SUCH_CATALOG_EXCEPTION] Catalog `nocatalog` was not found. Please verify the spelling and correctness of the catalog name, and that you have access to it. SQLSTATE: 42704

CREATE SCHEMA sales
----
error [SCHEMA_ALREADY_EXISTS] Cannot create schema `main`.`sales` because it already exists.\nChoose a different name, drop the existing schema, or add the IF NOT EXISTS clause to tolerate pre-existing schema. SQLSTATE: 42P06

CREATE CATALOG main
----
error [CATALOG_ALREADY_EXISTS] Cannot create catalog `main` because it already exists. SQLSTATE: 42P06

DROP TABLE nothing
----
error [TABLE_OR_VIEW_NOT_FOUND] The table or view `nothing` cannot be found. Verify the spelling and correctness of the schema and catalog.\nIf you did not qualify the name with a schema, verify the current_schema() output, or qualify the name with the correct schema and catalog.\nTo tolerate the error on drop use DROP VIEW IF EXISTS or DROP TABLE IF EXISTS. SQLSTATE: 42P01

DROP SCHEMA sales
----
error [SCHEMA_NOT_EMPTY] Cannot drop a schema `main`.`sales` because it contains objects.\nUse DROP SCHEMA ... CASCADE to drop the schema and all its objects. SQLSTATE: 2BP01

DROP SCHEMA nope
----
error [SCHEMA_NOT_FOUND] The schema `main`.`nope` cannot be found. Verify the spelling and correctness of the schema and catalog.\nIf you did not qualify the name with a catalog, verify the current_schema() output, or qualify the name with the correct catalog.\nTo tolerate the error on drop use DROP SCHEMA IF EXISTS. SQLSTATE: 42704

DROP VIEW orders
----
error [EXPECT_VIEW_NOT_TABLE.USE_ALTER_TABLE] 'DROP VIEW' expects a view but `main`.`sales`.`orders` is a table. Please use DROP TABLE instead. SQLSTATE: 42809

INSERT INTO orders VALUES (1)
----
error [INSERT_COLUMN_ARITY_MISMATCH.NOT_ENOUGH_DATA_COLUMNS] Cannot write to `main`.`sales`.`orders`, the reason is not enough data columns:\nTable columns: `id`, `customer`, `ordered`, `amount`, `status`, `paid`.\nData columns: `col1`. SQLSTATE: 21S01

INSERT INTO orders (id, nope) VALUES (1, 2)
----
error [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name `nope` cannot be resolved. Did you mean one of the following? [`id`, `paid`, `amount`, `customer`, `ordered`]. SQLSTATE: 42703

INSERT INTO orders (customer) VALUES ('x')
----
error [DELTA_NOT_NULL_CONSTRAINT_VIOLATED] NOT NULL constraint violated for column: id. SQLSTATE: 23502

INSERT INTO orders (id, ordered) VALUES (9, 'not a date')
----
error [CAST_INVALID_INPUT] The value 'not a date' of the type "STRING" cannot be cast to "DATE" because it is malformed. Correct the value as per the syntax, or change its target type. Use `try_cast` to tolerate malformed input and return NULL instead. SQLSTATE: 22018

INSERT INTO orders (id, ordered) VALUES (9, 5)
----
error [INCOMPATIBLE_DATA_FOR_TABLE.CANNOT_SAFELY_CAST] Cannot write incompatible data for the table `main`.`sales`.`orders`: Cannot safely cast `ordered` "INT" to "DATE". SQLSTATE: KD000

UPDATE orders SET nope = 1
----
error [UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name `nope` cannot be resolved. Did you mean one of the following? [`id`, `paid`, `amount`, `customer`, `ordered`]. SQLSTATE: 42703

USE CATALOG nope
----
error [NO_SUCH_CATALOG_EXCEPTION] Catalog `nope` was not found. Please verify the spelling and correctness of the catalog name, and that you have access to it. SQLSTATE: 42704

USE SCHEMA nope
----
error [SCHEMA_NOT_FOUND] The schema `main`.`nope` cannot be found. Verify the spelling and correctness of the schema and catalog.\nIf you did not qualify the name with a catalog, verify the current_schema() output, or qualify the name with the correct catalog.\nTo tolerate the error on drop use DROP SCHEMA IF EXISTS. SQLSTATE: 42704

DESCRIBE nothing
----
error [TABLE_OR_VIEW_NOT_FOUND] The table or view `nothing` cannot be found. Verify the spelling and correctness of the schema and catalog.\nIf you did not qualify the name with a schema, verify the current_schema() output, or qualify the name with the correct schema and catalog.\nTo tolerate the error on drop use DROP VIEW IF EXISTS or DROP TABLE IF EXISTS. SQLSTATE: 42P01

SHOW TABLES IN nope
----
error [SCHEMA_NOT_FOUND] The schema `main`.`nope` cannot be found. Verify the spelling and correctness of the schema and catalog.\nIf you did not qualify the name with a catalog, verify the current_schema() output, or qualify the name with the correct catalog.\nTo tolerate the error on drop use DROP SCHEMA IF EXISTS. SQLSTATE: 42704

SELECT * FROM orders LIMIT 'x'
----
error [INVALID_LIMIT_LIKE_EXPRESSION.DATA_TYPE] The limit like expression "x" is invalid. The limit expression must be integer type, but got "STRING". SQLSTATE: 42K0E

SELECT * FROM orders LIMIT -1
----
error [INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE] The limit like expression "-1" is invalid. The limit expression must be equal to or greater than 0, but got -1. SQLSTATE: 42K0E

SELECT 99999999999999999999999999999999999999999
----
error [INVALID_NUMERIC_LITERAL_RANGE] Numeric literal 99999999999999999999999999999999999999999 is outside the valid range. SQLSTATE: 22003 (line 1, pos 7)

SELECT @x
----
error [PARSE_SYNTAX_ERROR] Syntax error at or near '@'. SQLSTATE: 42601 (line 1, pos 7)

SELECT regexp_extract('a', '(', 1)
----
error [INVALID_PARAMETER_VALUE.PATTERN] The value of parameter(s) `regexp` is invalid: '('. The sandbox knows RE2 expressions only (no look-around, no back references). SQLSTATE: 22023

SELECT regexp_extract('a', 'a', 3)
----
error [INVALID_PARAMETER_VALUE.REGEX_GROUP_INDEX] The value of parameter(s) `idx` is invalid: Expects group index between 0 and 0, but got 3. SQLSTATE: 22023

SELECT * FROM read_files('/Volumes/x')
----
error [UNSUPPORTED_FEATURE.SANDBOX] The feature is not supported: the table function read_files is not supported by the sandbox. SQLSTATE: 0A000

SELECT explode(array(1)) + 1
----
error [UNSUPPORTED_GENERATOR.NESTED_IN_EXPRESSIONS] The generator is not supported: nested in expressions "explode(array(1))". SQLSTATE: 42K0E

SELECT count(DISTINCT id) OVER () FROM orders
----
error [DISTINCT_WINDOW_FUNCTION_UNSUPPORTED] Distinct window functions are not supported: "count(DISTINCT id) OVER ()". SQLSTATE: 0A000

VALUES (1, 2), (3)
----
error [INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH] Invalid inline table. Inline table expected 2 columns but found 1 columns in row 1. SQLSTATE: 42000

SELECT 0 FROM system.information_schema.columns a(a)
----
error [ASSIGNMENT_ARITY_MISMATCH] The number of columns or variables assigned or aliased: 1 does not match the number of source expressions: 13. SQLSTATE: 42802

SELECT 0 FROM (SELECT 1, 2) t(x)
----
error [ASSIGNMENT_ARITY_MISMATCH] The number of columns or variables assigned or aliased: 1 does not match the number of source expressions: 2. SQLSTATE: 42802
