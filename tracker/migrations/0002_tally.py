"""How many tasks are open and what dealing them costs, without counting them.

Each connection adds to a row of its own, or nearly, so that they do not wait for each other.
"""

TALLY = """
CREATE TABLE tally (
    shard int PRIMARY KEY,
    open bigint NOT NULL,
    priced bigint NOT NULL,
    fees_cents bigint NOT NULL
) WITH (fillfactor = 20);

CREATE FUNCTION tally_add(opened bigint, newly_priced bigint, fees bigint) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO tally VALUES (mod(pg_backend_pid(), 64), opened, newly_priced, fees)
    ON CONFLICT (shard) DO UPDATE SET open = tally.open + opened,
        priced = tally.priced + newly_priced, fees_cents = tally.fees_cents + fees
$$;

CREATE FUNCTION tally_deals() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE sign int := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    PERFORM tally_add(sign * count(*), sign * count(fee_cents), sign * coalesce(sum(fee_cents), 0))
    FROM changed LEFT JOIN price ON price.task_id = changed.task_id
    HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE TRIGGER tally_dealt AFTER INSERT ON deal REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tally_deals();
CREATE TRIGGER tally_ended AFTER DELETE ON deal REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tally_deals();

-- The lock makes whoever ends a task wait and then see its price, or has ended it already.
CREATE FUNCTION tally_prices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM tally_add(0, count(*), sum(fee_cents))
    FROM (SELECT deal.task_id, fee_cents FROM deal JOIN changed ON changed.task_id = deal.task_id
          ORDER BY deal.task_id FOR KEY SHARE OF deal) AS open
    HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE TRIGGER tally_priced AFTER INSERT ON price REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION tally_prices();

INSERT INTO tally
SELECT 0, count(*), count(fee_cents), coalesce(sum(fee_cents), 0)
FROM deal LEFT JOIN price ON price.task_id = deal.task_id;
"""


def up(migrator, db):
    db.execute_sql(TALLY)
