-- Machines whose Go is translated, and how much longer their builds take than native ones of the same repository.
WITH native AS (
  SELECT repository, median(wall_ns) AS wall FROM traces WHERE go_translator IS NULL GROUP BY repository
)
SELECT host, go_translator AS translator, count(*) AS builds, round(median(wall_ns / wall), 2) AS slowdown
FROM traces JOIN native USING (repository)
WHERE go_translator IS NOT NULL
GROUP BY host, go_translator
ORDER BY slowdown DESC
