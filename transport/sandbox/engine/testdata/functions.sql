SELECT date_add(DATE'2024-01-31', 1), date_sub('2024-03-01', 1), datediff('2024-03-01', '2024-02-01'), add_months(DATE'2024-01-31', 1), last_day(DATE'2024-02-10')
----
date_add(DATE '2024-01-31', 1) DATE, date_sub(2024-03-01, 1) DATE, datediff(2024-03-01, 2024-02-01) INT, add_months(DATE '2024-01-31', 1) DATE, last_day(DATE '2024-02-10') DATE
2024-02-01 | 2024-02-29 | 29 | 2024-02-29 | 2024-02-29

SELECT dateadd(MONTH, 1, TIMESTAMP'2024-01-31 10:00:00'), dateadd(HOUR, -2, TIMESTAMP'2024-01-31 01:00:00'), datediff(MONTH, DATE'2024-01-31', DATE'2024-03-30'), datediff(DAY, DATE'2024-01-01', DATE'2024-01-11')
----
dateadd(MONTH, 1, TIMESTAMP '2024-01-31 10:00:00') TIMESTAMP, dateadd(HOUR, -2, TIMESTAMP '2024-01-31 01:00:00') TIMESTAMP, datediff(MONTH, DATE '2024-01-31', DATE '2024-03-30') BIGINT, datediff(DAY, DATE '2024-01-01', DATE '2024-01-11') BIGINT
2024-02-29T10:00:00.000Z | 2024-01-30T23:00:00.000Z | 1 | 10

SELECT months_between(DATE'2024-03-31', DATE'2024-02-29'), months_between(TIMESTAMP'2024-03-15 12:00:00', TIMESTAMP'2024-02-14 00:00:00'), next_day(DATE'2024-06-15', 'MON'), trunc(DATE'2024-06-15', 'MM')
----
months_between(DATE '2024-03-31', DATE '2024-02-29') DOUBLE, months_between(TIMESTAMP '2024-03-15 12:00:00', TIMESTAMP '2024-02-14 00:00:00') DOUBLE, next_day(DATE '2024-06-15', MON) DATE, trunc(DATE '2024-06-15', MM) DATE
1.0 | 1.0483871 | 2024-06-17 | 2024-06-01

SELECT date_trunc('WEEK', TIMESTAMP'2024-06-15 10:30:45'), date_trunc('QUARTER', DATE'2024-06-15'), date_trunc('MINUTE', TIMESTAMP'2024-06-15 10:30:45.5')
----
date_trunc(WEEK, TIMESTAMP '2024-06-15 10:30:45') TIMESTAMP, date_trunc(QUARTER, DATE '2024-06-15') TIMESTAMP, date_trunc(MINUTE, TIMESTAMP '2024-06-15 10:30:45.5') TIMESTAMP
2024-06-10T00:00:00.000Z | 2024-04-01T00:00:00.000Z | 2024-06-15T10:30:00.000Z

SELECT year(d), quarter(d), month(d), day(d), dayofweek(d), dayofyear(d), weekofyear(d), weekday(d) FROM (SELECT DATE'2024-06-15' AS d)
----
year(d) INT, quarter(d) INT, month(d) INT, day(d) INT, dayofweek(d) INT, dayofyear(d) INT, weekofyear(d) INT, weekday(d) INT
2024 | 2 | 6 | 15 | 7 | 167 | 24 | 5

SELECT hour(t), minute(t), second(t), extract(YEAR FROM t), extract(SECOND FROM t), date_part('DOW', t) FROM (SELECT TIMESTAMP'2024-06-15 10:30:45.25' AS t)
----
hour(t) INT, minute(t) INT, second(t) INT, date_part(YEAR, t) INT, date_part(SECOND, t) DECIMAL(8,6), date_part(DOW, t) INT
10 | 30 | 45 | 2024 | 45.250000 | 7

SELECT to_date('2024-06-15'), to_date('15/06/2024', 'dd/MM/yyyy'), to_timestamp('2024-06-15 10:30'), to_timestamp('20240615 103000', 'yyyyMMdd HHmmss'), try_to_timestamp('nope')
----
to_date(2024-06-15) DATE, to_date(15/06/2024, dd/MM/yyyy) DATE, to_timestamp(2024-06-15 10:30) TIMESTAMP, to_timestamp(20240615 103000, yyyyMMdd HHmmss) TIMESTAMP, try_to_timestamp(nope) TIMESTAMP
2024-06-15 | 2024-06-15 | 2024-06-15T10:30:00.000Z | 2024-06-15T10:30:00.000Z | NULL

SELECT date_format(TIMESTAMP'2024-06-15 14:05:09', 'yyyy-MM-dd HH:mm:ss'), date_format(DATE'2024-06-15', 'EEE, d MMM yy'), date_format('2024-06-15', "h a 'o''clock'")
----
date_format(TIMESTAMP '2024-06-15 14:05:09', yyyy-MM-dd HH:mm:ss) STRING, date_format(DATE '2024-06-15', EEE, d MMM yy) STRING, date_format(2024-06-15, h a 'o''clock') STRING
2024-06-15 14:05:09 | Sat, 15 Jun 24 | 12 AM o'clock

SELECT unix_timestamp(TIMESTAMP'1970-01-02 00:00:00'), from_unixtime(86400), unix_timestamp('1970-01-01 00:01:00'), timestamp_seconds(60), unix_millis(TIMESTAMP'1970-01-01 00:00:01'), make_date(2024, 2, 29)
----
unix_timestamp(TIMESTAMP '1970-01-02 00:00:00') BIGINT, from_unixtime(86400) STRING, unix_timestamp(1970-01-01 00:01:00) BIGINT, timestamp_seconds(60) TIMESTAMP, unix_millis(TIMESTAMP '1970-01-01 00:00:01') BIGINT, make_date(2024, 2, 29) DATE
86400 | 1970-01-02 00:00:00 | 60 | 1970-01-01T00:01:00.000Z | 1000 | 2024-02-29

SELECT DATE'2024-01-31' + INTERVAL 1 MONTH, DATE'2024-01-31' + INTERVAL '2' DAY, TIMESTAMP'2024-01-31 10:00:00' - INTERVAL 90 MINUTES, DATE'2024-01-31' + INTERVAL 5 HOURS, DATE'2024-01-31' + 3, current_date() - INTERVAL 1 YEAR
----
(DATE '2024-01-31' + INTERVAL '1' MONTH) DATE, (DATE '2024-01-31' + INTERVAL '2' DAY) DATE, (TIMESTAMP '2024-01-31 10:00:00' - INTERVAL '90' MINUTE) TIMESTAMP, (DATE '2024-01-31' + INTERVAL '5' HOUR) TIMESTAMP, (DATE '2024-01-31' + 3) DATE, (current_date() - INTERVAL '1' YEAR) DATE
2024-02-29 | 2024-02-02 | 2024-01-31T08:30:00.000Z | 2024-01-31T05:00:00.000Z | 2024-02-03 | 2023-06-15

SELECT DATE'2024-03-01' - DATE'2024-02-01', TIMESTAMP'2024-01-02 03:00:00' - TIMESTAMP'2024-01-01 00:00:00', INTERVAL '1-2' YEAR TO MONTH, INTERVAL '3 days 2 hours'
----
(DATE '2024-03-01' - DATE '2024-02-01') INTERVAL DAY, (TIMESTAMP '2024-01-02 03:00:00' - TIMESTAMP '2024-01-01 00:00:00') INTERVAL DAY TO SECOND, INTERVAL '1' YEAR + INTERVAL '2' MONTH INTERVAL YEAR TO MONTH, INTERVAL '3' DAY + INTERVAL '2' HOUR INTERVAL DAY TO SECOND
INTERVAL '29' DAY | INTERVAL '1 03:00:00' DAY TO SECOND | INTERVAL '1-2' YEAR TO MONTH | INTERVAL '3 02:00:00' DAY TO SECOND

SELECT DATE'2024-01-01' < TIMESTAMP'2024-01-01 00:00:01', DATE'2024-01-01' = '2024-01-01', TIMESTAMP'2024-01-01 00:00:00' = DATE'2024-01-01'
----
(DATE '2024-01-01' < TIMESTAMP '2024-01-01 00:00:01') BOOLEAN, (DATE '2024-01-01' = 2024-01-01) BOOLEAN, (TIMESTAMP '2024-01-01 00:00:00' = DATE '2024-01-01') BOOLEAN
true | true | true

SELECT concat('a', 1, true), concat_ws('-', 'a', NULL, 'b'), 'a' || 'b' || 2, concat('a', NULL)
----
concat(a, 1, true) STRING, concat_ws(-, a, NULL, b) STRING, concat(concat(a, b), 2) STRING, concat(a, NULL) STRING
a1true | a-b | ab2 | NULL

SELECT upper('é'), lower('ÀB'), initcap('hello wORLD'), length('héé'), reverse('abc'), trim('  x '), ltrim('  x'), trim(BOTH 'x' FROM 'xxaxx'), rtrim('  x  ')
----
upper(é) STRING, lower(ÀB) STRING, initcap(hello wORLD) STRING, length(héé) INT, reverse(abc) STRING, trim(  x ) STRING, ltrim(  x) STRING, btrim(xxaxx, x) STRING, rtrim(  x  ) STRING
É | àb | Hello World | 3 | cba | x | x | a |   x

SELECT lpad('7', 3, '0'), rpad('ab', 5, 'xy'), lpad('abc', 2), repeat('ab', 3), space(2) || 'x', left('abcd', 2), right('abcd', 2), substring('abcdef', 2, 3), substr('abcdef', -2), substring('hello' FROM 2 FOR 2)
----
lpad(7, 3, 0) STRING, rpad(ab, 5, xy) STRING, lpad(abc, 2) STRING, repeat(ab, 3) STRING, concat(space(2), x) STRING, left(abcd, 2) STRING, right(abcd, 2) STRING, substring(abcdef, 2, 3) STRING, substr(abcdef, -2) STRING, substring(hello, 2, 2) STRING
007 | abxyx | ab | ababab |   x | ab | cd | bcd | ef | el

SELECT substring_index('a.b.c', '.', 2), substring_index('a.b.c', '.', -1), replace('aXbX', 'X', '-'), translate('abc', 'ac', 'xy'), instr('abcabc', 'c'), locate('b', 'abcb', 3), position('b' , 'ab'), split_part('a-b-c', '-', 2), ascii('A'), chr(66)
----
substring_index(a.b.c, ., 2) STRING, substring_index(a.b.c, ., -1) STRING, replace(aXbX, X, -) STRING, translate(abc, ac, xy) STRING, instr(abcabc, c) INT, locate(b, abcb, 3) INT, position(b, ab) INT, split_part(a-b-c, -, 2) STRING, ascii(A) INT, chr(66) STRING
a.b | c | a-b- | xby | 3 | 4 | 2 | b | 65 | B

SELECT split('a1b2c', '[0-9]'), split('a,b,c', ',')[1], size(split('a,b', ',')), element_at(split('a,b', ','), -1), regexp_extract('id=42;', 'id=(\\d+)', 1), regexp_replace('a1b22', '\\d+', '<$0>'), regexp_count('a1b2', '\\d')
----
split(a1b2c, [0-9]) ARRAY<STRING>, split(a,b,c, ,)[1] STRING, size(split(a,b, ,)) INT, element_at(split(a,b, ,), -1) STRING, regexp_extract(id=42;, id=(\d+), 1) STRING, regexp_replace(a1b22, \d+, <$0>) STRING, regexp_count(a1b2, \d) INT
["a","b","c"] | b | 2 | b | 42 | a<1>b<22> | 2

SELECT 'abc' LIKE 'a%', 'ABC' LIKE 'a%', 'ABC' ILIKE 'a%', 'a_c' LIKE 'a\_c', 'abc' LIKE 'a\_c', 'abc' RLIKE '^a.c$', 'abc' NOT LIKE 'b%', startswith('abc', 'ab'), endswith('abc', 'bc'), contains('abc', 'z')
----
abc LIKE a% BOOLEAN, ABC LIKE a% BOOLEAN, ilike(ABC, a%) BOOLEAN, a_c LIKE a\_c BOOLEAN, abc LIKE a\_c BOOLEAN, rlike(abc, ^a.c$) BOOLEAN, (NOT abc LIKE b%) BOOLEAN, startswith(abc, ab) BOOLEAN, endswith(abc, bc) BOOLEAN, contains(abc, z) BOOLEAN
true | false | true | true | false | true | true | true | true | false

SELECT coalesce(NULL, 2, 3), nvl(NULL, 'x'), ifnull(1, 2), nullif(1, 1), nullif(2, 1), if(1 < 2, 'y', 'n'), iff(false, 1, 2.5), nvl2(NULL, 1, 2), decode(2, 1, 'one', 2, 'two', 'other'), isnull(NULL)
----
coalesce(NULL, 2, 3) INT, nvl(NULL, x) STRING, ifnull(1, 2) INT, nullif(1, 1) INT, nullif(2, 1) INT, if((1 < 2), y, n) STRING, iff(false, 1, 2.5) DECIMAL(11,1), nvl2(NULL, 1, 2) INT, decode(2, 1, one, 2, two, other) STRING, isnull(NULL) BOOLEAN
2 | x | 1 | NULL | 2 | y | 2.5 | 2 | two | true

SELECT CAST('12' AS INT), CAST(3.99 AS INT), CAST(-3.99D AS BIGINT), CAST('1.5' AS DOUBLE), CAST('1.005' AS DECIMAL(5,2)), CAST(true AS INT), CAST(1 AS BOOLEAN), CAST('yes' AS BOOLEAN), CAST(10 AS STRING), CAST(1.0D AS STRING), CAST(1e10 AS STRING)
----
CAST(12 AS INT) INT, CAST(3.99 AS INT) INT, CAST(-3.99 AS BIGINT) BIGINT, CAST(1.5 AS DOUBLE) DOUBLE, CAST(1.005 AS DECIMAL(5,2)) DECIMAL(5,2), CAST(true AS INT) INT, CAST(1 AS BOOLEAN) BOOLEAN, CAST(yes AS BOOLEAN) BOOLEAN, CAST(10 AS STRING) STRING, CAST(1.0 AS STRING) STRING, CAST(1.0E10 AS STRING) STRING
12 | 3 | -3 | 1.5 | 1.01 | 1 | true | true | 10 | 1.0 | 1.0E10

SELECT '2024-01-31'::DATE, '2024-01-31T10:00:00Z'::TIMESTAMP, '2024-01-31 10:00:00+02:00'::timestamp, TIMESTAMP'2024-01-31 10:00:00'::STRING, DATE'2024-01-31'::string, DATE'2024-01-31'::timestamp, 12::decimal(5,1), '7'::bigint, int('8'), string(9), date('2024-02-03')
----
CAST(2024-01-31 AS DATE) DATE, CAST(2024-01-31T10:00:00Z AS TIMESTAMP) TIMESTAMP, CAST(2024-01-31 10:00:00+02:00 AS TIMESTAMP) TIMESTAMP, CAST(TIMESTAMP '2024-01-31 10:00:00' AS STRING) STRING, CAST(DATE '2024-01-31' AS STRING) STRING, CAST(DATE '2024-01-31' AS TIMESTAMP) TIMESTAMP, CAST(12 AS DECIMAL(5,1)) DECIMAL(5,1), CAST(7 AS BIGINT) BIGINT, int(8) INT, string(9) STRING, date(2024-02-03) DATE
2024-01-31 | 2024-01-31T10:00:00.000Z | 2024-01-31T08:00:00.000Z | 2024-01-31 10:00:00 | 2024-01-31 | 2024-01-31T00:00:00.000Z | 12.0 | 7 | 8 | 9 | 2024-02-03

SELECT try_cast('x' AS INT), try_cast('2024-13-01' AS DATE), try_cast('1' AS TINYINT), try_cast(300 AS TINYINT), try_cast('12345.6' AS DECIMAL(4,1)), try_divide(1, 0), try_divide(3, 2)
----
TRY_CAST(x AS INT) INT, TRY_CAST(2024-13-01 AS DATE) DATE, TRY_CAST(1 AS TINYINT) TINYINT, TRY_CAST(300 AS TINYINT) TINYINT, TRY_CAST(12345.6 AS DECIMAL(4,1)) DECIMAL(4,1), try_divide(1, 0) DOUBLE, try_divide(3, 2) DOUBLE
NULL | NULL | 1 | NULL | NULL | NULL | 1.5

SELECT round(2.675, 2), round(2.5), round(-2.5), round(1234.567D, 1), round(1250, -2), bround(2.5D), ceil(1.2), floor(-1.2), ceil(1.2D), abs(-3), abs(-2.50), sign(-2), pow(2, 10), sqrt(16), exp(0), ln(1), log(10, 100), log10(1000), log2(8), mod(7, 3), 7.5 % 2
----
round(2.675, 2) DECIMAL(4,2), round(2.5) DECIMAL(2,0), round(-2.5) DECIMAL(2,0), round(1234.567, 1) DOUBLE, round(1250, -2) INT, bround(2.5) DOUBLE, ceil(1.2) DECIMAL(2,0), floor(-1.2) DECIMAL(2,0), ceil(1.2) BIGINT, abs(-3) INT, abs(-2.50) DECIMAL(3,2), sign(-2) DOUBLE, pow(2, 10) DOUBLE, sqrt(16) DOUBLE, exp(0) DOUBLE, ln(1) DOUBLE, log(10, 100) DOUBLE, log10(1000) DOUBLE, log2(8) DOUBLE, mod(7, 3) INT, (7.5 % 2) DECIMAL(2,1)
2.68 | 3 | -3 | 1234.6 | 1300 | 2.0 | 2 | -2 | 2 | 3 | 2.50 | -1.0 | 1024.0 | 4.0 | 1.0 | 0.0 | 2.0 | 3.0 | 3.0 | 1 | 1.5

SELECT greatest(1, 3, NULL, 2), least('b', 'a'), greatest(DATE'2024-01-01', DATE'2024-02-01'), pi(), factorial(5), hex(255), bin(5), conv('ff', 16, 10), cbrt(27), format_number(1234567.891, 2)
----
greatest(1, 3, NULL, 2) INT, least(b, a) STRING, greatest(DATE '2024-01-01', DATE '2024-02-01') DATE, pi() DOUBLE, factorial(5) BIGINT, hex(255) STRING, bin(5) STRING, conv(ff, 16, 10) STRING, cbrt(27) DOUBLE, format_number(1234567.891, 2) STRING
3 | a | 2024-02-01 | 3.141592653589793 | 120 | FF | 101 | 255 | 3.0 | 1,234,567.89

SELECT 1 <=> NULL, NULL <=> NULL, 1 IS DISTINCT FROM NULL, NULL = 1, 1 IN (2, NULL), NOT true, true AND NULL, false AND NULL, 5 & 3, 5 | 3, 5 ^ 3, ~5, 1 << 4, 1 == 1, 1 <> 2, 2 BETWEEN 1 AND 3, NULL IS NULL, true IS NOT TRUE
----
(1 <=> NULL) BOOLEAN, (NULL <=> NULL) BOOLEAN, (NOT (1 <=> NULL)) BOOLEAN, (NULL = 1) BOOLEAN, (1 IN (2, NULL)) BOOLEAN, (NOT true) BOOLEAN, (true and NULL) BOOLEAN, (false and NULL) BOOLEAN, (5 & 3) INT, (5 | 3) INT, (5 ^ 3) INT, (~ 5) INT, (1 << 4) INT, (1 = 1) BOOLEAN, (NOT (1 = 2)) BOOLEAN, between(2, 1, 3) BOOLEAN, (NULL IS NULL) BOOLEAN, (true IS NOT TRUE) BOOLEAN
false | true | true | NULL | NULL | false | NULL | false | 1 | 7 | 6 | -6 | 16 | true | true | true | true | false

SELECT array(1, 2, 3), array(1, 2.5), array('a', NULL), array(), map('a', 1, 'b', 2), named_struct('x', 1, 'y', DATE'2024-01-01'), struct(1, 'a'), array(true, false), array(DATE'2024-01-31')
----
array(1, 2, 3) ARRAY<INT>, array(1, 2.5) ARRAY<DECIMAL(11,1)>, array(a, NULL) ARRAY<STRING>, array() ARRAY<VOID>, map(a, 1, b, 2) MAP<STRING, INT>, named_struct(x, 1, y, DATE '2024-01-01') STRUCT<x: INT, y: DATE>, struct(1, a) STRUCT<col1: INT, col2: STRING>, array(true, false) ARRAY<BOOLEAN>, array(DATE '2024-01-31') ARRAY<DATE>
[1,2,3] | [1.0,2.5] | ["a",null] | [] | {"a":1,"b":2} | {"x":1,"y":"2024-01-01"} | {"col1":1,"col2":"a"} | [true,false] | ["2024-01-31"]

SELECT array(5, 6)[0], element_at(array(5, 6), 1), map('a', 1)['a'], element_at(map('a', 1), 'z'), get(array(1), 5), map_keys(map('a', 1)), map_values(map('a', 1)), named_struct('x', 7).x, array(DATE'2024-01-31')[0] + 1
----
array(5, 6)[0] INT, element_at(array(5, 6), 1) INT, map(a, 1)[a] INT, element_at(map(a, 1), z) INT, get(array(1), 5) INT, map_keys(map(a, 1)) ARRAY<STRING>, map_values(map(a, 1)) ARRAY<INT>, x INT, (array(DATE '2024-01-31')[0] + 1) DATE
5 | 5 | 1 | NULL | NULL | ["a"] | [1] | 7 | 2024-02-01

SELECT array_contains(array(1, 2), 2), array_contains(array('a'), 'b'), array_join(array('a', NULL, 'c'), ','), array_join(array('a', NULL), ',', '?'), array_distinct(array(1, 1, 2)), sort_array(array(3, 1, 2)), sort_array(array('b', 'a'), false), array_position(array('a', 'b'), 'b'), slice(array(1, 2, 3, 4), 2, 2), array_union(array(1), array(2, 1)), array_except(array(1, 2), array(2)), flatten(array(array(1), array(2, 3))), concat(array(1), array(2))
----
array_contains(array(1, 2), 2) BOOLEAN, array_contains(array(a), b) BOOLEAN, array_join(array(a, NULL, c), ,) STRING, array_join(array(a, NULL), ,, ?) STRING, array_distinct(array(1, 1, 2)) ARRAY<INT>, sort_array(array(3, 1, 2)) ARRAY<INT>, sort_array(array(b, a), false) ARRAY<STRING>, array_position(array(a, b), b) BIGINT, slice(array(1, 2, 3, 4), 2, 2) ARRAY<INT>, array_union(array(1), array(2, 1)) ARRAY<INT>, array_except(array(1, 2), array(2)) ARRAY<INT>, flatten(array(array(1), array(2, 3))) ARRAY<INT>, concat(array(1), array(2)) ARRAY<INT>
true | false | a,c | a,? | [1,2] | [1,2,3] | ["b","a"] | 2 | [2,3] | [1,2] | [1] | [1,2,3] | [1,2]

SELECT sequence(1, 4), sequence(5, 1, -2), sequence(DATE'2024-01-31', DATE'2024-03-31', INTERVAL 1 MONTH), size(sequence(DATE'2024-01-01', DATE'2024-01-10'))
----
sequence(1, 4) ARRAY<INT>, sequence(5, 1, -2) ARRAY<INT>, sequence(DATE '2024-01-31', DATE '2024-03-31', INTERVAL '1' MONTH) ARRAY<DATE>, size(sequence(DATE '2024-01-01', DATE '2024-01-10')) INT
[1,2,3,4] | [5,3,1] | ["2024-01-31","2024-02-29","2024-03-31"] | 10

SELECT transform(array(1, 2), x -> x * 10), filter(array(1, 2, 3), x -> x > 1), exists(array(1, 2), x -> x = 2), forall(array(1, 2), x -> x > 0), transform(array('a', 'b'), s -> upper(s))
----
transform(array(1, 2), lambdafunction((x * 10), x)) ARRAY<INT>, filter(array(1, 2, 3), lambdafunction((x > 1), x)) ARRAY<INT>, exists(array(1, 2), lambdafunction((x = 2), x)) BOOLEAN, forall(array(1, 2), lambdafunction((x > 0), x)) BOOLEAN, transform(array(a, b), lambdafunction(upper(s), s)) ARRAY<STRING>
[10,20] | [2,3] | true | true | ["A","B"]

SELECT get_json_object('{"a":{"b":[1,2]},"t":true}', '$.a.b[1]'), get_json_object('{"a":1}', '$.z'), from_json('{"a":1,"b":"x"}', 'a INT, b STRING').b, to_json(named_struct('a', 1)), from_json('[1,2]', 'array<int>')[1], json_array_length('[1,2,3]')
----
get_json_object({"a":{"b":[1,2]},"t":true}, $.a.b[1]) STRING, get_json_object({"a":1}, $.z) STRING, b STRING, to_json(named_struct(a, 1)) STRING, from_json([1,2], array<int>)[1] INT, json_array_length([1,2,3]) INT
2 | NULL | x | {"a":1} | 2 | 3

SELECT md5('a'), sha1('a'), sha2('a', 256), crc32('a'), length(uuid()), base64('hi'), unbase64('aGk='), hash('a') = hash('a'), url_encode('a b')
----
md5(a) STRING, sha1(a) STRING, sha2(a, 256) STRING, crc32(a) BIGINT, length(uuid()) INT, base64(hi) STRING, unbase64(aGk=) STRING, (hash(a) = hash(a)) BOOLEAN, url_encode(a b) STRING
0cc175b9c0f1b6a831c399e269772661 | 86f7e437faa5a7fce15d1ddcb9eaeaea377667b8 | ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb | 3904355907 | 36 | aGk= | hi | true | a+b

SELECT typeof(1), typeof(1.5), typeof('x'), typeof(array(1)), typeof(current_date()), typeof(1 + 1.5), typeof(NULL), typeof(count(*)), typeof(sum(1.5))
----
typeof(1) STRING, typeof(1.5) STRING, typeof(x) STRING, typeof(array(1)) STRING, typeof(current_date()) STRING, typeof((1 + 1.5)) STRING, typeof(NULL) STRING, typeof(count(1)) STRING, typeof(sum(1.5)) STRING
int | decimal(2,1) | string | array<int> | date | decimal(3,1) | void | bigint | decimal(12,1)

SELECT :a + 1 AS n, :s AS s, :d AS d, :missing IS NULL AS m
----
error [UNBOUND_SQL_PARAMETER] Found the unbound parameter: a. Please, fix `args` and provide a mapping of the parameter to either a SQL literal or collection constructor functions such as `map()`, `array()`, `struct()`. SQLSTATE: 42P02

SELECT count(DISTINCT CASE WHEN paid THEN id END) AS c, sum(CASE WHEN paid THEN amount ELSE 0 END) AS s, sum(if(paid, 1, 0)) FROM orders
----
c BIGINT, s DECIMAL(22,2), sum(if(paid, 1, 0)) BIGINT
2 | 110.49 | 2

SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY id) AS p, listagg(customer, '/') WITHIN GROUP (ORDER BY customer DESC) AS l FROM orders
----
p DOUBLE, l STRING
3.0 | cleo/ben/ben/ana/ana

SELECT first_value(id) OVER (ORDER BY id) AS f, last_value(id) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS l, lead(id, 1, 0) OVER (ORDER BY id) AS n FROM orders WHERE id > 3
----
f BIGINT, l BIGINT, n BIGINT
4 | 5 | 5
4 | 5 | 0

SELECT 1/3, 10/4.0, CAST(1 AS DECIMAL(10,2)) / 3, CAST(2 AS DECIMAL(4,1)) * CAST(3 AS DECIMAL(4,2)), 1.5 + 1, 1.5D + 1.5
----
(1 / 3) DOUBLE, (10 / 4.0) DECIMAL(9,6), (CAST(1 AS DECIMAL(10,2)) / 3) DECIMAL(14,6), (CAST(2 AS DECIMAL(4,1)) * CAST(3 AS DECIMAL(4,2))) DECIMAL(9,3), (1.5 + 1) DECIMAL(3,1), (1.5 + 1.5) DOUBLE
0.3333333333333333 | 2.500000 | 0.333333 | 6.000 | 2.5 | 3.0

SELECT 0.0001D, 12345678.9D, 1e-10, 123456.0D, CAST('NaN' AS DOUBLE), 1.0F
----
1.0E-4 DOUBLE, 1.23456789E7 DOUBLE, 1.0E-10 DOUBLE, 123456.0 DOUBLE, CAST(NaN AS DOUBLE) DOUBLE, 1.0 FLOAT
1.0E-4 | 1.23456789E7 | 1.0E-10 | 123456.0 | NULL | 1.0

SELECT sum(x), avg(x), max(x) FROM VALUES (0.1), (0.2), (0.3) AS t(x)
----
sum(x) DECIMAL(11,1), avg(x) DECIMAL(5,5), max(x) DECIMAL(1,1)
0.6 | 0.20000 | 0.3

SELECT count(*) FROM main.information_schema.tables WHERE table_schema = 'sales'
----
count(1) BIGINT
2

SELECT soundex('Miller'), levenshtein('kitten', 'sitting'), format_string('%d-%s', 5, 'x'), width_bucket(5, 0, 10, 5), equal_null(NULL, NULL)
----
soundex(Miller) STRING, levenshtein(kitten, sitting) INT, format_string(%d-%s, 5, x) STRING, width_bucket(5, 0, 10, 5) BIGINT, equal_null(NULL, NULL) BOOLEAN
M460 | 3 | 5-x | 3 | true

SELECT corr(a, b) AS c, covar_pop(a, b) AS cp, covar_samp(a, b) AS cs, skewness(a) AS s FROM VALUES (1, 2), (2, 4), (3, 6) AS t(a, b)
----
c DOUBLE, cp DOUBLE, cs DOUBLE, s DOUBLE
1.0 | 1.3333333333333333 | 2.0 | 0.0
