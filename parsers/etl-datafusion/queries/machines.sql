-- Machines by the hours in which a pool was out of ports. The host is what --name-from made of the path.
SELECT customer, host,
       COUNT(*) AS captures,
       SUM(CASE WHEN state = 'exhausted' THEN 1 ELSE 0 END) AS exhausted,
       ROUND(SUM(seconds) / 3600, 4) AS hours,
       SUM(bind_failures + connect_failures) AS failures
FROM cases
WHERE duplicate_of IS NULL AND state IS NOT NULL
GROUP BY customer, host
HAVING SUM(bind_failures + connect_failures) > 0
ORDER BY hours DESC NULLS LAST, failures DESC, customer NULLS LAST, host NULLS LAST
