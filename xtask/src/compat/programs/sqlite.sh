sqlite3 base.db <<'E'
PRAGMA journal_mode = WAL;
CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT, number REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
INSERT INTO t SELECT i, 'row ' || i, i / 7.0 FROM n;
CREATE INDEX by_number ON t (number);
CREATE VIRTUAL TABLE words USING fts5(text);
INSERT INTO words SELECT text FROM t WHERE id % 100 = 0;
SELECT count(*) FROM words WHERE words MATCH '1*';
BEGIN IMMEDIATE; DELETE FROM t WHERE id > 10000; ROLLBACK;
SELECT count(*), round(sum(number), 3), max(text) FROM t;
PRAGMA wal_checkpoint(TRUNCATE);
VACUUM;
PRAGMA integrity_check;
E
# Writers that wait for each other.
for writer in 1 2 3 4; do
    sqlite3 -cmd '.timeout 20000' base.db "UPDATE t SET number = number + 1 WHERE id = 1" > /dev/null &
done
wait
sqlite3 base.db 'SELECT number FROM t WHERE id = 1' 'PRAGMA journal_mode = DELETE'
sqlite3 base.db .dump | sha256sum
