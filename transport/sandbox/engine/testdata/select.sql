SELECT 1
----
1 INT
1

SELECT 1 AS a, 'x' AS b, 1.50 AS c, 1e3 AS d, true AS e, NULL AS f, DATE'2024-01-31' AS g, TIMESTAMP'2024-01-31 10:00:00' AS h
----
a INT, b STRING, c DECIMAL(3,2), d DOUBLE, e BOOLEAN, f VOID, g DATE, h TIMESTAMP
1 | x | 1.50 | 1000.0 | true | NULL | 2024-01-31 | 2024-01-31T10:00:00.000Z

SELECT 9007199254740993 AS big, -9223372036854775808 AS least, 3000000000 AS l, 5S, 7Y, 2.5F, 1.25BD
----
big BIGINT, least BIGINT, l BIGINT, 5 SMALLINT, 7 TINYINT, 2.5 FLOAT, 1.25 DECIMAL(3,2)
9007199254740993 | -9223372036854775808 | 3000000000 | 5 | 7 | 2.5 | 1.25

SELECT "double quoted", 'it''s', 'a\tb', r'a\tb', 'back\\slash', 'x' 'y'
----
double quoted STRING, it's STRING, a	b STRING, a\tb STRING, back\slash STRING, xy STRING
double quoted | it's | a	b | a\tb | back\slash | xy

SELECT 1 + 2, 7 / 2, 7 DIV 2, 7 % 3, -5, 2 * 3.5, 1.10 + 2.205, 0.1 + 0.2 = 0.3
----
(1 + 2) INT, (7 / 2) DOUBLE, (7 div 2) BIGINT, (7 % 3) INT, -5 INT, (2 * 3.5) DECIMAL(4,1), (1.10 + 2.205) DECIMAL(5,3), ((0.1 + 0.2) = 0.3) BOOLEAN
3 | 3.5 | 3 | 1 | -5 | 7.0 | 3.305 | true

SELECT * FROM orders
----
id BIGINT, customer STRING, ordered DATE, amount DECIMAL(10,2), status STRING, paid BOOLEAN
1 | ana | 2024-01-05 | 10.50 | shipped | true
2 | ben | 2024-01-20 | 20.25 | open | false
3 | ana | 2024-02-11 | 99.99 | shipped | true
4 | cleo | 2024-02-28 | NULL | cancelled | NULL
5 | ben | 2024-03-01 | 5.00 | open | false

SELECT * FROM main.sales.orders WHERE amount > 10 ORDER BY amount DESC LIMIT 2
----
id BIGINT, customer STRING, ordered DATE, amount DECIMAL(10,2), status STRING, paid BOOLEAN
3 | ana | 2024-02-11 | 99.99 | shipped | true
2 | ben | 2024-01-20 | 20.25 | open | false

SELECT * FROM `main`.`sales`.`orders` o WHERE o.id IN (1, 3) ORDER BY o.id
----
id BIGINT, customer STRING, ordered DATE, amount DECIMAL(10,2), status STRING, paid BOOLEAN
1 | ana | 2024-01-05 | 10.50 | shipped | true
3 | ana | 2024-02-11 | 99.99 | shipped | true

SELECT id, amount * 2 AS twice, amount + 1, amount / 3 AS third FROM orders ORDER BY id
----
id BIGINT, twice DECIMAL(12,2), (amount + 1) DECIMAL(11,2), third DECIMAL(14,6)
1 | 21.00 | 11.50 | 3.500000
2 | 40.50 | 21.25 | 6.750000
3 | 199.98 | 100.99 | 33.330000
4 | NULL | NULL | NULL
5 | 10.00 | 6.00 | 1.666667

SELECT * FROM orders LIMIT 1 OFFSET 2
----
id BIGINT, customer STRING, ordered DATE, amount DECIMAL(10,2), status STRING, paid BOOLEAN
3 | ana | 2024-02-11 | 99.99 | shipped | true

SELECT * EXCEPT (status, paid) FROM orders WHERE id = 1
----
id BIGINT, customer STRING, ordered DATE, amount DECIMAL(10,2)
1 | ana | 2024-01-05 | 10.50

SELECT o.* FROM orders AS o WHERE o.id = 2
----
id BIGINT, customer STRING, ordered DATE, amount DECIMAL(10,2), status STRING, paid BOOLEAN
2 | ben | 2024-01-20 | 20.25 | open | false

SELECT COUNT(*), count(amount), sum(amount), avg(amount), min(ordered), max(ordered), sum(id), avg(id) FROM orders
----
count(1) BIGINT, count(amount) BIGINT, sum(amount) DECIMAL(20,2), avg(amount) DECIMAL(14,6), min(ordered) DATE, max(ordered) DATE, sum(id) BIGINT, avg(id) DOUBLE
5 | 4 | 135.74 | 33.935000 | 2024-01-05 | 2024-03-01 | 15 | 3.0

SELECT customer, count(*) AS n, sum(amount) AS total FROM orders GROUP BY customer ORDER BY n DESC, customer
----
customer STRING, n BIGINT, total DECIMAL(20,2)
ana | 2 | 110.49
ben | 2 | 25.25
cleo | 1 | NULL

SELECT customer, status, count(*) n FROM orders GROUP BY ALL ORDER BY ALL
----
customer STRING, status STRING, n BIGINT
ana | shipped | 2
ben | open | 2
cleo | cancelled | 1

SELECT upper(customer) AS c, count(*) FROM orders GROUP BY 1 ORDER BY 1
----
c STRING, count(1) BIGINT
ANA | 2
BEN | 2
CLEO | 1

SELECT upper(customer) AS c, count(*) FROM orders GROUP BY c HAVING count(*) > 1 ORDER BY c
----
c STRING, count(1) BIGINT
ANA | 2
BEN | 2

SELECT year(ordered) AS y, month(ordered) AS m, sum(amount) FROM orders GROUP BY year(ordered), month(ordered) ORDER BY m
----
y INT, m INT, sum(amount) DECIMAL(20,2)
2024 | 1 | 30.75
2024 | 2 | 99.99
2024 | 3 | 5.00

SELECT count(DISTINCT customer), count(DISTINCT customer, status), approx_count_distinct(status) FROM orders
----
count(DISTINCT customer) BIGINT, count(DISTINCT customer, status) BIGINT, approx_count_distinct(status) BIGINT
3 | 3 | 3

SELECT count_if(paid), count(*) FILTER (WHERE amount > 10), bool_and(paid), bool_or(paid), any_value(customer), first(customer), last(customer) FROM orders
----
count_if(paid) BIGINT, count(1) BIGINT, bool_and(paid) BOOLEAN, bool_or(paid) BOOLEAN, any_value(customer) STRING, first(customer) STRING, last(customer) STRING
2 | 3 | false | true | ana | ana | ben

SELECT max_by(id, amount), min_by(id, amount), median(amount), percentile(amount, 0.5), percentile_approx(amount, 0.5), mode(customer) FROM orders
----
max_by(id, amount) BIGINT, min_by(id, amount) BIGINT, median(amount) DOUBLE, percentile(amount, 0.5) DOUBLE, percentile_approx(amount, 0.5) DECIMAL(10,2), mode(customer) STRING
3 | 5 | 15.375 | 15.375 | 10.50 | ana

SELECT round(stddev(amount), 4) AS s, round(variance(amount), 4) AS v, round(stddev_pop(id), 3) AS p FROM orders
----
s DOUBLE, v DOUBLE, p DOUBLE
44.4859 | 1978.9919 | 1.414

SELECT collect_list(customer), collect_set(status), array_join(collect_list(id), '-'), listagg(customer, ',') FROM orders
----
collect_list(customer) ARRAY<STRING>, collect_set(status) ARRAY<STRING>, array_join(collect_list(id), -) STRING, listagg(customer, ,) STRING
["ana","ben","ana","cleo","ben"] | ["shipped","open","cancelled"] | 1-2-3-4-5 | ana,ben,ana,cleo,ben

SELECT o.id, c.name FROM orders o JOIN customers c ON o.customer = c.customer ORDER BY o.id
----
id BIGINT, name STRING
1 | Ana Lima
2 | Ben Okri
3 | Ana Lima
5 | Ben Okri

SELECT o.id, c.name, c.country FROM orders o LEFT JOIN customers c USING (customer) WHERE o.id > 2 ORDER BY o.id
----
id BIGINT, name STRING, country STRING
3 | Ana Lima | BR
4 | NULL | NULL
5 | Ben Okri | NG

SELECT * FROM orders o JOIN customers c USING (customer) WHERE o.id = 1
----
customer STRING, id BIGINT, ordered DATE, amount DECIMAL(10,2), status STRING, paid BOOLEAN, name STRING, country STRING
ana | 1 | 2024-01-05 | 10.50 | shipped | true | Ana Lima | BR

SELECT customer, o.id FROM orders o RIGHT JOIN customers c USING (customer) ORDER BY customer, id
----
customer STRING, id BIGINT
ana | 1
ana | 3
ben | 2
ben | 5
dora | NULL

SELECT customer, o.id, c.name FROM orders o FULL OUTER JOIN customers c USING (customer) ORDER BY customer, id
----
customer STRING, id BIGINT, name STRING
ana | 1 | Ana Lima
ana | 3 | Ana Lima
ben | 2 | Ben Okri
ben | 5 | Ben Okri
cleo | 4 | NULL
dora | NULL | Dora Kent

SELECT c.name FROM customers c LEFT SEMI JOIN orders o ON o.customer = c.customer ORDER BY 1
----
name STRING
Ana Lima
Ben Okri

SELECT c.name FROM customers c LEFT ANTI JOIN orders o USING (customer)
----
name STRING
Dora Kent

SELECT a.id, b.id FROM orders a CROSS JOIN orders b WHERE a.id < 3 AND b.id < 3 ORDER BY 1, 2
----
id BIGINT, id BIGINT
1 | 1
1 | 2
2 | 1
2 | 2

SELECT a.id, b.id FROM orders a, orders b WHERE a.id = b.id AND a.id = 1
----
id BIGINT, id BIGINT
1 | 1

WITH t AS (SELECT customer, sum(amount) AS s FROM orders GROUP BY customer), u AS (SELECT * FROM t WHERE s > 20) SELECT * FROM u ORDER BY s
----
customer STRING, s DECIMAL(20,2)
ben | 25.25
ana | 110.49

WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT sum(i), max(i) FROM n
----
sum(i) BIGINT, max(i) INT
15 | 5

SELECT id, row_number() OVER (PARTITION BY customer ORDER BY id) AS rn, sum(amount) OVER (ORDER BY id) AS running, lag(id) OVER (ORDER BY id) AS prev FROM orders ORDER BY id
----
id BIGINT, rn INT, running DECIMAL(20,2), prev BIGINT
1 | 1 | 10.50 | NULL
2 | 1 | 30.75 | 1
3 | 2 | 130.74 | 2
4 | 1 | 130.74 | 3
5 | 2 | 135.74 | 4

SELECT id, rank() OVER w AS r, dense_rank() OVER w, ntile(2) OVER w, percent_rank() OVER w FROM orders WINDOW w AS (ORDER BY customer) ORDER BY id
----
id BIGINT, r INT, dense_rank() OVER () INT, ntile(2) OVER () INT, percent_rank() OVER () DOUBLE
1 | 1 | 1 | 1 | 0.0
2 | 3 | 2 | 1 | 0.5
3 | 1 | 1 | 1 | 0.0
4 | 5 | 3 | 2 | 1.0
5 | 3 | 2 | 2 | 0.5

SELECT id, avg(amount) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS a FROM orders ORDER BY id
----
id BIGINT, a DECIMAL(14,6)
1 | 10.500000
2 | 15.375000
3 | 60.120000
4 | 99.990000
5 | 5.000000

SELECT id, count(*) OVER (ORDER BY ordered RANGE BETWEEN INTERVAL 20 DAYS PRECEDING AND CURRENT ROW) AS c FROM orders ORDER BY id
----
id BIGINT, c BIGINT
1 | 1
2 | 2
3 | 1
4 | 2
5 | 3

SELECT customer, sum(amount) AS s, rank() OVER (ORDER BY sum(amount) DESC) AS r FROM orders GROUP BY customer ORDER BY r, customer
----
customer STRING, s DECIMAL(20,2), r INT
ana | 110.49 | 1
ben | 25.25 | 2
cleo | NULL | 3

SELECT id, customer FROM orders QUALIFY row_number() OVER (PARTITION BY customer ORDER BY id DESC) = 1 ORDER BY id DESC
----
id BIGINT, customer STRING
5 | ben
4 | cleo
3 | ana

SELECT customer FROM orders UNION SELECT customer FROM customers ORDER BY customer
----
customer STRING
ana
ben
cleo
dora

SELECT 1 AS a, 'x' AS b UNION ALL SELECT 2.5, 'y'
----
a DECIMAL(11,1), b STRING
1.0 | x
2.5 | y

SELECT customer FROM orders INTERSECT SELECT customer FROM customers ORDER BY 1
----
customer STRING
ana
ben

SELECT customer FROM customers EXCEPT SELECT customer FROM orders
----
customer STRING
dora

(SELECT id FROM orders ORDER BY id LIMIT 1) UNION ALL (SELECT id FROM orders ORDER BY id DESC LIMIT 1)
----
id BIGINT
1
5

VALUES (1, 'a'), (2, 'b')
----
col1 INT, col2 STRING
1 | a
2 | b

SELECT * FROM VALUES (1, 'a'), (2, NULL) AS t(n, s) WHERE s IS NULL
----
n INT, s STRING
2 | NULL

TABLE customers
----
customer STRING, name STRING, country STRING
ana | Ana Lima | BR
ben | Ben Okri | NG
dora | Dora Kent | UK

SELECT id + 1 AS next, next * 2 AS twice FROM orders WHERE id < 3 ORDER BY id
----
next BIGINT, twice BIGINT
2 | 4
3 | 6

SELECT (SELECT max(amount) FROM orders) AS m, EXISTS (SELECT 1 FROM orders WHERE id = 9) AS e
----
m DECIMAL(10,2), e BOOLEAN
99.99 | false

SELECT id FROM orders WHERE customer IN (SELECT customer FROM customers WHERE country = 'NG') ORDER BY id
----
id BIGINT
2
5

SELECT name, (SELECT count(*) FROM orders o WHERE o.customer = c.customer) AS n FROM customers c ORDER BY name
----
name STRING, n BIGINT
Ana Lima | 2
Ben Okri | 2
Dora Kent | 0

SELECT DISTINCT status FROM orders ORDER BY status
----
status STRING
cancelled
open
shipped

SELECT CASE WHEN amount > 50 THEN 'big' WHEN amount > 10 THEN 'mid' ELSE 'small' END AS size, CASE status WHEN 'open' THEN 1 ELSE 0 END AS o FROM orders ORDER BY id
----
size STRING, o INT
mid | 0
mid | 1
big | 0
small | 0
small | 1

SELECT * FROM range(3)
----
id BIGINT
0
1
2

SELECT id * 10 AS x FROM range(1, 10, 4)
----
x BIGINT
10
50
90

SELECT explode(array(10, 20)) AS v
----
v INT
10
20

SELECT o.id, t.x FROM orders o LATERAL VIEW explode(split(o.customer, 'n')) t AS x WHERE o.id < 3 ORDER BY o.id, x
----
id BIGINT, x STRING
1 | a
1 | a
2 | 
2 | be

SELECT * FROM explode(map('a', 1, 'b', 2))
----
key STRING, value INT
a | 1
b | 2

SELECT posexplode(array('x', 'y')) AS (p, v)
----
p INT, v STRING
0 | x
1 | y

SELECT id FROM orders ORDER BY amount NULLS LAST, id
----
id BIGINT
5
1
2
3
4

SELECT id FROM orders ORDER BY amount DESC NULLS FIRST
----
id BIGINT
4
3
2
1
5

SELECT id FROM (SELECT id, amount FROM orders) WHERE amount BETWEEN 5 AND 21 ORDER BY 1
----
id BIGINT
1
2
5

SELECT 1 AS x, 2 AS x
----
x INT, x INT
1 | 2

SELECT id -- a comment
FROM orders /* nested /* comment */ here */ WHERE id = 1;
----
id BIGINT
1

SELECT current_user(), current_catalog(), current_schema(), current_date(), current_timestamp(), current_date
----
current_user() STRING, current_catalog() STRING, current_schema() STRING, current_date() DATE, current_timestamp() TIMESTAMP, current_date() DATE
ana@example.com | main | sales | 2024-06-15 | 2024-06-15T10:30:00.000Z | 2024-06-15

SELECT count(*) FROM main.sales.orders o WHERE NOT EXISTS (SELECT 1 FROM customers c WHERE c.customer = o.customer)
----
count(1) BIGINT
1

SELECT payload:page, payload:n::int + 1 AS n, payload:tags[1] AS t FROM main.default.events ORDER BY id
----
page STRING, n INT, t STRING
home | 4 | b
cart | 2 | NULL
NULL | NULL | NULL

SELECT id, at, at::date, hour(at), date_trunc('HOUR', at) FROM main.default.events ORDER BY id
----
id INT, at TIMESTAMP, CAST(at AS DATE) DATE, hour(at) INT, date_trunc(HOUR, at) TIMESTAMP
1 | 2024-03-01T08:15:30.000Z | 2024-03-01 | 8 | 2024-03-01T08:00:00.000Z
2 | 2024-03-01T09:45:00.000Z | 2024-03-01 | 9 | 2024-03-01T09:00:00.000Z
3 | 2024-03-02T00:00:00.125Z | 2024-03-02 | 0 | 2024-03-02T00:00:00.000Z

SELECT id FROM orders WHERE ordered >= '2024-02-01' AND ordered < date'2024-03-01' ORDER BY id
----
id BIGINT
3
4

SELECT id FROM orders WHERE id = '3'
----
id BIGINT
3

SELECT id FROM orders WHERE paid ORDER BY id
----
id BIGINT
1
3

SELECT customer FROM orders GROUP BY customer HAVING sum(amount) IS NULL
----
customer STRING
cleo

SELECT avg(id) AS a, sum(1) AS s FROM orders WHERE false
----
a DOUBLE, s BIGINT
NULL | NULL

SELECT t.n FROM (VALUES (1), (2)) t(n) ORDER BY n DESC
----
n INT
2
1

SELECT status, collect_list(named_struct('id', id, 'c', customer)) AS l FROM orders WHERE id < 3 GROUP BY status ORDER BY status
----
status STRING, l ARRAY<STRUCT<id: BIGINT, c: STRING>>
open | [{"id":2,"c":"ben"}]
shipped | [{"id":1,"c":"ana"}]

SELECT s.a, s.b FROM (SELECT named_struct('a', 1, 'b', 'x') AS s)
----
a INT, b STRING
1 | x

SELECT sandbox_sleep(0)
----
sandbox_sleep(0) BOOLEAN
true
