-- Packages whose median CPU time rose by more than 30 % from one revision to the next, on native machines.
WITH costs AS (
  SELECT package, revision, median(actions.cpu_ns) AS cost
  FROM actions JOIN traces USING (date, repository, host, revision, run)
  WHERE kind = 'compile' AND outcome = 'built' AND go_translator IS NULL
  GROUP BY package, revision
), steps AS (
  SELECT *, lag(cost) OVER (PARTITION BY package ORDER BY revision) AS earlier FROM costs
)
SELECT package, revision, round(earlier / 1e6) AS before_ms, round(cost / 1e6) AS after_ms, round(cost / earlier, 2) AS ratio
FROM steps
WHERE cost > 1.3 * earlier
ORDER BY ratio DESC
