-- The first sign before the first failure: when a machine first held half of the most ports that it ever held, and how many
-- seconds of the timeline lay between that step and the one with the first failure. The steps are those of the report.
WITH most AS (
  SELECT case_id, MAX(ports_held) AS most_held FROM timeline GROUP BY case_id
),
first_sign AS (
  SELECT t.case_id, MIN(t.start) AS begins
  FROM timeline t JOIN most m ON m.case_id = t.case_id
  WHERE t.ports_held > 0 AND 2 * t.ports_held >= m.most_held
  GROUP BY t.case_id
),
first_failure AS (
  SELECT t.case_id, MIN(t.start) AS begins
  FROM timeline t
  WHERE t.bind_failures + t.connect_failures > 0
  GROUP BY t.case_id
)
SELECT c.path, m.most_held,
       SUM(CASE WHEN t.start >= s.begins AND t.start < f.begins THEN t.seconds ELSE 0 END) AS seconds_before,
       SUM(CASE WHEN t.start >= s.begins AND t.start < f.begins THEN t.binds_ok ELSE 0 END) AS binds_before
FROM cases c
JOIN timeline t ON t.case_id = c.case_id
JOIN most m ON m.case_id = c.case_id
JOIN first_sign s ON s.case_id = c.case_id
JOIN first_failure f ON f.case_id = c.case_id
WHERE c.state = 'exhausted' AND s.begins < f.begins
GROUP BY c.path, m.most_held
ORDER BY seconds_before DESC, c.path
