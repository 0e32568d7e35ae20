as ben
SELECT * FROM orders
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have USE CATALOG on Catalog 'main'. SQLSTATE: 42501

GRANT USE CATALOG ON CATALOG main TO `ben@example.com`
----
(no result)

as ben
SELECT * FROM orders
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have USE SCHEMA on Schema 'main.sales'. SQLSTATE: 42501

GRANT USE SCHEMA ON SCHEMA main.sales TO `ben@example.com`
----
(no result)

as ben
SELECT * FROM orders
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have SELECT on Table 'main.sales.orders'. SQLSTATE: 42501

as ben
SHOW TABLES
----
database STRING, tableName STRING, isTemporary BOOLEAN

GRANT SELECT ON TABLE orders TO `ben@example.com`
----
(no result)

as ben
SELECT count(*) FROM orders
----
count(1) BIGINT
5

as ben
SHOW TABLES
----
database STRING, tableName STRING, isTemporary BOOLEAN
sales | orders | false

as ben
SELECT table_name FROM main.information_schema.tables ORDER BY 1
----
table_name STRING
catalog_privileges
catalogs
columns
information_schema_catalog_name
orders
routines
schema_privileges
schemata
table_privileges
tables
views
volumes

as ben
SHOW SCHEMAS
----
databaseName STRING
information_schema
sales

as ben
SHOW CATALOGS
----
catalog STRING
main

as ben
SELECT o.id FROM orders o JOIN customers c USING (customer)
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have SELECT on Table 'main.sales.customers'. SQLSTATE: 42501

as ben
INSERT INTO orders VALUES (9, 'x', NULL, NULL, NULL, NULL)
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have MODIFY on Table 'main.sales.orders'. SQLSTATE: 42501

as ben
UPDATE orders SET status = 'x'
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have MODIFY on Table 'main.sales.orders'. SQLSTATE: 42501

as ben
DELETE FROM orders
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have MODIFY on Table 'main.sales.orders'. SQLSTATE: 42501

as ben
MERGE INTO orders o USING orders s ON o.id = s.id WHEN MATCHED THEN DELETE
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have MODIFY on Table 'main.sales.orders'. SQLSTATE: 42501

as ben
CREATE TABLE mine (a INT)
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have CREATE TABLE on Schema 'main.sales'. SQLSTATE: 42501

as ben
CREATE SCHEMA main.mine
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have CREATE SCHEMA on Catalog 'main'. SQLSTATE: 42501

as ben
CREATE CATALOG mine
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have CREATE CATALOG on Metastore. SQLSTATE: 42501

as ben
DROP TABLE orders
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have MANAGE on Table 'main.sales.orders'. SQLSTATE: 42501

as ben
ALTER TABLE orders SET TBLPROPERTIES ('a' = 'b')
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have MANAGE on Table 'main.sales.orders'. SQLSTATE: 42501

as ben
COMMENT ON TABLE orders IS 'x'
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have MANAGE on Table 'main.sales.orders'. SQLSTATE: 42501

as ben
GRANT SELECT ON orders TO ben
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have MANAGE on Table 'main.sales.orders'. SQLSTATE: 42501

as ben
DESCRIBE customers
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have SELECT on Table 'main.sales.customers'. SQLSTATE: 42501

as ben
DESCRIBE orders
----
col_name STRING, data_type STRING, comment STRING
id | bigint | key
customer | string | NULL
ordered | date | NULL
amount | decimal(10,2) | NULL
status | string | NULL
paid | boolean | NULL

as ben
SHOW GRANTS ON TABLE orders
----
Principal STRING, ActionType STRING, ObjectType STRING, ObjectKey STRING
ben@example.com | SELECT | TABLE | main.sales.orders

as ben
SHOW GRANTS ON TABLE customers
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have MANAGE on Table 'main.sales.customers'. SQLSTATE: 42501

SHOW GRANTS ON TABLE orders
----
Principal STRING, ActionType STRING, ObjectType STRING, ObjectKey STRING
ben@example.com | SELECT | TABLE | main.sales.orders

SHOW GRANTS `nobody` ON TABLE orders
----
Principal STRING, ActionType STRING, ObjectType STRING, ObjectKey STRING

CREATE VIEW v AS SELECT name FROM customers
----
(no result)

GRANT SELECT ON VIEW v TO `ben@example.com`
----
(no result)

as ben
SELECT * FROM v ORDER BY name
----
name STRING
Ana Lima
Ben Okri
Dora Kent

as ben
SELECT * FROM customers
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have SELECT on Table 'main.sales.customers'. SQLSTATE: 42501

REVOKE SELECT ON TABLE orders FROM `ben@example.com`
----
(no result)

as ben
SELECT * FROM orders
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have SELECT on Table 'main.sales.orders'. SQLSTATE: 42501

GRANT MODIFY, SELECT ON orders TO `ben@example.com`
----
(no result)

as ben
DELETE FROM orders WHERE id = 5
----
num_affected_rows BIGINT
1

GRANT CREATE TABLE ON SCHEMA main.sales TO `ben@example.com`
----
(no result)

as ben
CREATE TABLE mine AS SELECT id FROM orders
----
num_affected_rows BIGINT, num_inserted_rows BIGINT

as ben
EXPLAIN SELECT * FROM customers
----
plan STRING
Error occurred during query planning: \n[INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have SELECT on Table 'main.sales.customers'. SQLSTATE: 42501

as ben
CREATE VIEW sneaky AS SELECT * FROM customers
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have SELECT on Table 'main.sales.customers'. SQLSTATE: 42501

as ben
USE CATALOG samples
----
error [INSUFFICIENT_PERMISSIONS] Insufficient privileges:\nUser does not have USE CATALOG on Catalog 'samples'. SQLSTATE: 42501

as ben
SELECT 1
----
1 INT
1
