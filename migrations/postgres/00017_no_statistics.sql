-- +goose Up
-- The planner always asks the index of an era, whatever it knows about the words
-- (step 15): that it looks through its statistics for the beginnings of words at
-- each question is for nothing, and so is unpacking the words of 30,000 posts to
-- make them. What it has of full eras it keeps.
-- +goose StatementBegin
DO $$
DECLARE
  one BIGINT;
BEGIN
  FOR one IN SELECT era FROM fts_eras ORDER BY era LOOP
    EXECUTE format('ALTER TABLE post_fts_%s ALTER COLUMN words SET STATISTICS 0', one);
  END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose Down
SELECT 1;
