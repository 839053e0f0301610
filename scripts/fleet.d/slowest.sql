-- Packages by the CPU time of all builds of the fleet.
SELECT package, count(*) AS builds, round(median(cpu_ns) / 1e6) AS median_ms, round(sum(cpu_ns) / 1e9, 1) AS total_s
FROM actions
WHERE kind = 'compile' AND outcome = 'built'
GROUP BY package
ORDER BY total_s DESC
LIMIT 5
