SHOW CATALOGS
----
catalog STRING
main
samples
system

SHOW CATALOGS LIKE 's*'
----
catalog STRING
samples
system

SHOW SCHEMAS
----
databaseName STRING
default
information_schema
sales

SHOW DATABASES IN samples
----
databaseName STRING
default
information_schema

SHOW TABLES
----
database STRING, tableName STRING, isTemporary BOOLEAN
sales | customers | false
sales | orders | false

SHOW TABLES IN main.default LIKE 'ev*|x'
----
database STRING, tableName STRING, isTemporary BOOLEAN
default | events | false

SHOW COLUMNS IN orders
----
col_name STRING
id
customer
ordered
amount
status
paid

SHOW VOLUMES IN main.sales
----
database STRING, volume_name STRING
sales | landing

SHOW VIEWS
----
namespace STRING, viewName STRING, isTemporary BOOLEAN, isMaterialized BOOLEAN

SHOW FUNCTIONS LIKE 'date_t*'
----
function STRING
date_trunc

SHOW TBLPROPERTIES orders
----
key STRING, value STRING
delta.minReaderVersion | 1
delta.minWriterVersion | 2

DESCRIBE orders
----
col_name STRING, data_type STRING, comment STRING
id | bigint | key
customer | string | NULL
ordered | date | NULL
amount | decimal(10,2) | NULL
status | string | NULL
paid | boolean | NULL

DESC TABLE EXTENDED main.sales.customers
----
col_name STRING, data_type STRING, comment STRING
customer | string | NULL
name | string | NULL
country | string | NULL
 |  | 
# Detailed Table Information |  | 
Catalog | main | 
Database | sales | 
Table | customers | 
Created Time | Sat Jun 15 10:30:00 UTC 2024 | 
Created By | ana@example.com | 
Type | MANAGED | 
Comment | the customers | 
Owner | ana@example.com | 
Provider | delta | 
Table Properties | [] | 

DESCRIBE orders amount
----
info_name STRING, info_value STRING
col_name | amount
data_type | decimal(10,2)
comment | NULL

DESCRIBE SCHEMA EXTENDED sales
----
database_description_item STRING, database_description_value STRING
Catalog Name | main
Namespace Name | sales
Comment | orders and customers
Location | 
Owner | ana@example.com
Properties | ()

DESCRIBE CATALOG main
----
info_name STRING, info_value STRING
Catalog Name | main
Comment | main catalog
Owner | ana@example.com

DESCRIBE QUERY SELECT id, sum(amount) AS s FROM orders GROUP BY id
----
col_name STRING, data_type STRING, comment STRING
id | bigint | NULL
s | decimal(20,2) | NULL

DESCRIBE HISTORY orders
----
version BIGINT, timestamp TIMESTAMP, userId STRING, userName STRING, operation STRING, operationParameters MAP<STRING, STRING>, readVersion BIGINT, isolationLevel STRING, isBlindAppend BOOLEAN
0 | 2024-06-15T10:30:00.000Z | NULL | ana@example.com | CREATE TABLE | {} | NULL | WriteSerializable | true

DESCRIBE DETAIL orders
----
format STRING, id STRING, name STRING, description STRING, location STRING, createdAt TIMESTAMP, lastModified TIMESTAMP, partitionColumns ARRAY<STRING>, numFiles BIGINT, properties MAP<STRING, STRING>
delta | seed-orders | main.sales.orders | the orders | s3://sandbox/seed-orders | 2024-06-15T10:30:00.000Z | 2024-06-15T10:30:00.000Z | [] | 1 | {}

DESCRIBE FUNCTION upper
----
function_desc STRING
Function: upper
Usage: upper(…)

SHOW CREATE TABLE orders
----
createtab_stmt STRING
CREATE TABLE main.sales.orders (\n  id BIGINT NOT NULL COMMENT 'key',\n  customer STRING,\n  ordered DATE,\n  amount DECIMAL(10,2),\n  status STRING,\n  paid BOOLEAN)\nUSING delta\nCOMMENT 'the orders'\n

EXPLAIN SELECT id FROM orders
----
plan STRING
== Physical Plan ==\n*(1) Project [id]\n+- Sandbox engine, 1 columns\n

EXPLAIN SELECT nope FROM orders
----
plan STRING
Error occurred during query planning: \n[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name `nope` cannot be resolved. Did you mean one of the following? [`id`, `paid`, `amount`, `customer`, `ordered`]. SQLSTATE: 42703

USE CATALOG main
----
(no result)

USE SCHEMA default
----
(no result)

USE main.sales
----
(no result)

SET ansi_mode
----
key STRING, value STRING
ansi_mode | true

SET x.y = 5
----
key STRING, value STRING
x.y | 5

CREATE CATALOG IF NOT EXISTS lab COMMENT 'try things'
----
(no result)

CREATE SCHEMA lab.bench COMMENT 'b'
----
(no result)

CREATE SCHEMA IF NOT EXISTS lab.bench
----
(no result)

CREATE TABLE lab.bench.t (id BIGINT NOT NULL COMMENT 'key', name STRING DEFAULT 'anon', price DECIMAL(8,2), tags ARRAY<STRING>, at TIMESTAMP, CONSTRAINT pk PRIMARY KEY (id)) USING DELTA PARTITIONED BY (name) COMMENT 'a table' TBLPROPERTIES ('a' = 'b')
----
(no result)

CREATE TABLE IF NOT EXISTS lab.bench.t (id INT)
----
(no result)

INSERT INTO lab.bench.t VALUES (1, 'x', 9.999, array('p', 'q'), '2024-01-31 10:00:00'), (2, DEFAULT, 5, NULL, NULL)
----
num_affected_rows BIGINT, num_inserted_rows BIGINT
2 | 2

INSERT INTO lab.bench.t (id, price) SELECT id + 10, amount FROM orders WHERE id < 3
----
num_affected_rows BIGINT, num_inserted_rows BIGINT
2 | 2

SELECT * FROM lab.bench.t ORDER BY id
----
id BIGINT, name STRING, price DECIMAL(8,2), tags ARRAY<STRING>, at TIMESTAMP
1 | x | 10.00 | ["p","q"] | 2024-01-31T10:00:00.000Z
2 | anon | 5.00 | NULL | NULL
11 | anon | 10.50 | NULL | NULL
12 | anon | 20.25 | NULL | NULL

INSERT INTO lab.bench.t BY NAME SELECT 99 AS id, 'named' AS name
----
num_affected_rows BIGINT, num_inserted_rows BIGINT
1 | 1

UPDATE lab.bench.t SET price = price * 2, name = concat(name, '!') WHERE id IN (1, 2)
----
num_affected_rows BIGINT
2

UPDATE lab.bench.t AS u SET u.name = (SELECT max(customer) FROM orders) WHERE u.id = 11
----
num_affected_rows BIGINT
1

SELECT id, name, price FROM lab.bench.t ORDER BY id
----
id BIGINT, name STRING, price DECIMAL(8,2)
1 | x! | 20.00
2 | anon! | 10.00
11 | cleo | 10.50
12 | anon | 20.25
99 | named | NULL

DELETE FROM lab.bench.t WHERE id > 50
----
num_affected_rows BIGINT
1

SELECT count(*) FROM lab.bench.t
----
count(1) BIGINT
4

ALTER TABLE lab.bench.t ADD COLUMNS (note STRING COMMENT 'free', n INT)
----
(no result)

ALTER TABLE lab.bench.t ADD COLUMN note STRING
----
error [FIELD_ALREADY_EXISTS] Cannot add column, because `note` already exists. SQLSTATE: 42710

ALTER TABLE lab.bench.t SET TBLPROPERTIES ('k' = 'v', 'delta.x' = true)
----
(no result)

ALTER TABLE lab.bench.t UNSET TBLPROPERTIES ('a')
----
(no result)

ALTER TABLE lab.bench.t RENAME COLUMN note TO remark
----
(no result)

ALTER TABLE lab.bench.t DROP COLUMN tags
----
(no result)

ALTER TABLE lab.bench.t ALTER COLUMN n COMMENT 'count'
----
(no result)

COMMENT ON TABLE lab.bench.t IS 'it''s new'
----
(no result)

COMMENT ON COLUMN lab.bench.t.id IS 'the id'
----
(no result)

COMMENT ON SCHEMA lab.bench IS 'benchmarks'
----
(no result)

DESCRIBE EXTENDED lab.bench.t
----
col_name STRING, data_type STRING, comment STRING
id | bigint | the id
name | string | NULL
price | decimal(8,2) | NULL
at | timestamp | NULL
remark | string | free
n | int | count
# Partition Information |  | 
# col_name | data_type | comment
name | string | NULL
 |  | 
# Detailed Table Information |  | 
Catalog | lab | 
Database | bench | 
Table | t | 
Created Time | Sat Jun 15 10:30:00 UTC 2024 | 
Created By | ana@example.com | 
Type | MANAGED | 
Comment | it's new | 
Owner | ana@example.com | 
Provider | delta | 
Table Properties | [delta.x=true,k=v] | 

SELECT * FROM lab.bench.t WHERE id = 1
----
id BIGINT, name STRING, price DECIMAL(8,2), at TIMESTAMP, remark STRING, n INT
1 | x! | 20.00 | 2024-01-31T10:00:00.000Z | NULL | NULL

SHOW CREATE TABLE lab.bench.t
----
createtab_stmt STRING
CREATE TABLE lab.bench.t (\n  id BIGINT NOT NULL COMMENT 'the id',\n  name STRING DEFAULT 'anon',\n  price DECIMAL(8,2),\n  at TIMESTAMP,\n  remark STRING COMMENT 'free',\n  n INT COMMENT 'count')\nUSING delta\nPARTITIONED BY (name)\nCOMMENT 'it\'s new'\nTBLPROPERTIES (\n  'delta.x' = 'true',\n  'k' = 'v')\n

ALTER TABLE lab.bench.t RENAME TO lab.bench.u
----
(no result)

SELECT id FROM lab.bench.t
----
error [TABLE_OR_VIEW_NOT_FOUND] The table or view `lab`.`bench`.`t` cannot be found. Verify the spelling and correctness of the schema and catalog.\nIf you did not qualify the name with a schema, verify the current_schema() output, or qualify the name with the correct schema and catalog.\nTo tolerate the error on drop use DROP VIEW IF EXISTS or DROP TABLE IF EXISTS. SQLSTATE: 42P01

SELECT count(*), max(remark) FROM lab.bench.u
----
count(1) BIGINT, max(remark) STRING
4 | NULL

CREATE OR REPLACE TABLE lab.bench.u AS SELECT customer, sum(amount) AS total, count(*) AS n, NULL AS nothing FROM orders GROUP BY customer
----
num_affected_rows BIGINT, num_inserted_rows BIGINT

SELECT * FROM lab.bench.u ORDER BY customer
----
customer STRING, total DECIMAL(20,2), n BIGINT, nothing STRING
ana | 110.49 | 2 | NULL
ben | 25.25 | 2 | NULL
cleo | NULL | 1 | NULL

DESCRIBE lab.bench.u
----
col_name STRING, data_type STRING, comment STRING
customer | string | NULL
total | decimal(20,2) | NULL
n | bigint | NULL
nothing | string | NULL

CREATE TABLE lab.bench.c LIKE orders
----
(no result)

SELECT count(*) FROM lab.bench.c
----
count(1) BIGINT
0

INSERT INTO lab.bench.c TABLE orders
----
num_affected_rows BIGINT, num_inserted_rows BIGINT
5 | 5

INSERT OVERWRITE lab.bench.c SELECT * FROM lab.bench.c WHERE id <= 2
----
num_affected_rows BIGINT, num_inserted_rows BIGINT
2 | 2

SELECT id FROM lab.bench.c ORDER BY id
----
id BIGINT
1
2

MERGE INTO lab.bench.c AS t USING (SELECT * FROM orders) AS s ON t.id = s.id WHEN MATCHED AND s.paid THEN UPDATE SET amount = s.amount + t.amount WHEN MATCHED THEN DELETE WHEN NOT MATCHED AND s.id < 5 THEN INSERT (id, customer, status) VALUES (s.id, s.customer, 'merged')
----
num_affected_rows BIGINT, num_updated_rows BIGINT, num_deleted_rows BIGINT, num_inserted_rows BIGINT
4 | 1 | 1 | 2

SELECT id, customer, amount, status FROM lab.bench.c ORDER BY id
----
id BIGINT, customer STRING, amount DECIMAL(10,2), status STRING
1 | ana | 21.00 | shipped
3 | ana | NULL | merged
4 | cleo | NULL | merged

MERGE INTO lab.bench.c USING orders s ON c.id = s.id WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *
----
num_affected_rows BIGINT, num_updated_rows BIGINT, num_deleted_rows BIGINT, num_inserted_rows BIGINT
5 | 3 | 0 | 2

SELECT * FROM lab.bench.c ORDER BY id
----
id BIGINT, customer STRING, ordered DATE, amount DECIMAL(10,2), status STRING, paid BOOLEAN
1 | ana | 2024-01-05 | 10.50 | shipped | true
2 | ben | 2024-01-20 | 20.25 | open | false
3 | ana | 2024-02-11 | 99.99 | shipped | true
4 | cleo | 2024-02-28 | NULL | cancelled | NULL
5 | ben | 2024-03-01 | 5.00 | open | false

MERGE INTO lab.bench.c t USING (SELECT 1 AS id) s ON t.id = s.id WHEN NOT MATCHED BY SOURCE AND t.id > 3 THEN DELETE WHEN NOT MATCHED BY SOURCE THEN UPDATE SET status = 'gone'
----
num_affected_rows BIGINT, num_updated_rows BIGINT, num_deleted_rows BIGINT, num_inserted_rows BIGINT
4 | 2 | 2 | 0

SELECT id, status FROM lab.bench.c ORDER BY id
----
id BIGINT, status STRING
1 | shipped
2 | gone
3 | gone

MERGE INTO lab.bench.c t USING (VALUES (1), (1)) s(id) ON t.id = s.id WHEN MATCHED THEN DELETE
----
error [DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE] Cannot perform Merge as multiple source rows matched and attempted to modify the same target row in the Delta table in possibly conflicting ways. SQLSTATE: 21506

TRUNCATE TABLE lab.bench.c
----
(no result)

SELECT count(*) FROM lab.bench.c
----
count(1) BIGINT
0

CREATE TABLE lab.bench.d DEEP CLONE orders
----
(no result)

SELECT count(*) FROM lab.bench.d
----
count(1) BIGINT
5

CREATE VIEW paid (order_id, who COMMENT 'customer') COMMENT 'paid orders' AS SELECT id, customer FROM orders WHERE paid
----
(no result)

SELECT * FROM paid ORDER BY order_id
----
order_id BIGINT, who STRING
1 | ana
3 | ana

SELECT p.who FROM main.sales.paid p JOIN customers c ON c.customer = p.who
----
who STRING
ana
ana

CREATE OR REPLACE VIEW paid AS SELECT id FROM orders WHERE NOT paid
----
(no result)

SELECT * FROM paid ORDER BY id
----
id BIGINT
2
5

SHOW VIEWS
----
namespace STRING, viewName STRING, isTemporary BOOLEAN, isMaterialized BOOLEAN
sales | paid | false | false

SHOW CREATE TABLE paid
----
createtab_stmt STRING
CREATE VIEW main.sales.paid (\n  id)\nAS SELECT id FROM orders WHERE NOT paid\n

INSERT INTO paid VALUES (1)
----
error [EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE] The operation expects a table but `main`.`sales`.`paid` is a view. SQLSTATE: 42809

ALTER VIEW paid AS SELECT 1 AS one
----
(no result)

SELECT * FROM paid
----
one INT
1

CREATE VIEW loop AS SELECT * FROM paid
----
(no result)

ALTER VIEW paid AS SELECT * FROM loop
----
(no result)

SELECT * FROM paid
----
error [RECURSIVE_VIEW] Recursive view `main`.`sales`.`paid` detected (cycle: main.sales.paid -> main.sales.loop -> main.sales.paid). SQLSTATE: 42K0H

DROP TABLE paid
----
error [EXPECT_TABLE_NOT_VIEW.USE_ALTER_VIEW] 'DROP TABLE' expects a table but `main`.`sales`.`paid` is a view. Please use DROP VIEW instead. SQLSTATE: 42809

DROP VIEW paid
----
(no result)

OPTIMIZE orders ZORDER BY (id)
----
path STRING, metrics STRUCT<numFilesAdded: BIGINT, numFilesRemoved: BIGINT>
s3://sandbox/seed-orders | {"numFilesAdded":0,"numFilesRemoved":0}

VACUUM orders RETAIN 168 HOURS
----
path STRING
s3://sandbox/seed-orders

ANALYZE TABLE orders COMPUTE STATISTICS FOR ALL COLUMNS
----
(no result)

SELECT table_name, table_type, table_owner FROM main.information_schema.tables WHERE table_schema = 'sales' ORDER BY table_name
----
table_name STRING, table_type STRING, table_owner STRING
customers | MANAGED | ana@example.com
loop | VIEW | ana@example.com
orders | MANAGED | ana@example.com

SELECT column_name, ordinal_position, is_nullable, full_data_type, data_type, numeric_precision, created FROM system.information_schema.columns c JOIN system.information_schema.tables t USING (table_catalog, table_schema, table_name) WHERE table_catalog = 'main' AND table_name = 'orders' ORDER BY ordinal_position
----
column_name STRING, ordinal_position INT, is_nullable STRING, full_data_type STRING, data_type STRING, numeric_precision INT, created TIMESTAMP
id | 0 | NO | bigint | LONG | 19 | 2024-06-15T10:30:00.000Z
customer | 1 | YES | string | STRING | NULL | 2024-06-15T10:30:00.000Z
ordered | 2 | YES | date | DATE | NULL | 2024-06-15T10:30:00.000Z
amount | 3 | YES | decimal(10,2) | DECIMAL | 10 | 2024-06-15T10:30:00.000Z
status | 4 | YES | string | STRING | NULL | 2024-06-15T10:30:00.000Z
paid | 5 | YES | boolean | BOOLEAN | NULL | 2024-06-15T10:30:00.000Z

SELECT schema_name FROM lab.information_schema.schemata ORDER BY 1
----
schema_name STRING
bench
information_schema

SELECT catalog_name, catalog_owner FROM system.information_schema.catalogs ORDER BY 1
----
catalog_name STRING, catalog_owner STRING
lab | ana@example.com
main | ana@example.com
samples | ana@example.com
system | ana@example.com

SELECT * FROM main.information_schema.nonsense
----
error [TABLE_OR_VIEW_NOT_FOUND] The table or view `main`.`information_schema`.`nonsense` cannot be found. Verify the spelling and correctness of the schema and catalog.\nIf you did not qualify the name with a schema, verify the current_schema() output, or qualify the name with the correct schema and catalog.\nTo tolerate the error on drop use DROP VIEW IF EXISTS or DROP TABLE IF EXISTS. SQLSTATE: 42P01

DESCRIBE main.information_schema.schemata
----
col_name STRING, data_type STRING, comment STRING
catalog_name | string | NULL
schema_name | string | NULL
schema_owner | string | NULL
comment | string | NULL
created | timestamp | NULL
created_by | string | NULL
last_altered | timestamp | NULL
last_altered_by | string | NULL

DROP TABLE IF EXISTS lab.bench.nothing
----
(no result)

DROP TABLE lab.bench.u
----
(no result)

DROP SCHEMA lab.bench
----
error [SCHEMA_NOT_EMPTY] Cannot drop a schema `lab`.`bench` because it contains objects.\nUse DROP SCHEMA ... CASCADE to drop the schema and all its objects. SQLSTATE: 2BP01

DROP SCHEMA lab.bench CASCADE
----
(no result)

DROP CATALOG lab
----
(no result)

DROP CATALOG lab CASCADE
----
error [NO_SUCH_CATALOG_EXCEPTION] Catalog `lab` was not found. Please verify the spelling and correctness of the catalog name, and that you have access to it. SQLSTATE: 42704

SHOW CATALOGS
----
catalog STRING
main
samples
system

CREATE TABLE main.default.fresh AS SELECT 1 AS a; 
----
num_affected_rows BIGINT, num_inserted_rows BIGINT

DROP TABLE IF EXISTS main.default.fresh;
----
(no result)

INSERT INTO orders SELECT * FROM orders WHERE id = 1
----
num_affected_rows BIGINT, num_inserted_rows BIGINT
1 | 1

SELECT count(*) FROM IDENTIFIER('main.sales.' || 'orders')
----
count(1) BIGINT
6

SELECT count(*) FROM IDENTIFIER('orders')
----
count(1) BIGINT
6

SELECT count(*) FROM IDENTIFIER(upper('x'))
----
error [NOT_A_CONSTANT_STRING.NOT_CONSTANT] The expression "upper(x)" used for the routine or clause IDENTIFIER must be a constant STRING which is NOT NULL. SQLSTATE: 42601
