-- +goose Up
-- The words of a post lie beside its row, so that a page holds 80 rows and not 15:
-- who seeks a word visits each row that has it. PostgreSQL takes values out of rows
-- of more than 2 kB only; a column that packs to nothing makes each row that large
-- before it is packed. It is made by PostgreSQL, so no dump has it. Eras that are full
-- stay as they are until they are indexed anew; the newest is written anew, unless it
-- is the one table of an old archive.
-- +goose StatementBegin
DO $$
DECLARE
  newest BIGINT;
  posts BIGINT;
BEGIN
  SELECT max(era) INTO newest FROM fts_eras;
  EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM post_fts_%s LIMIT 20001) AS counted', newest) INTO posts;
  IF posts <= 20000 THEN
    EXECUTE format('ALTER TABLE post_fts_%s ADD COLUMN pad TEXT GENERATED ALWAYS AS (repeat('' '', 2000)) STORED', newest);
  END IF;
END
$$;
-- +goose StatementEnd

-- +goose Down
SELECT 1;
