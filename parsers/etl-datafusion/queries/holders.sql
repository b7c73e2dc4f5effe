-- Images that hold ports on machines that ran out of them: the most ports that one process held, over all pools of a case.
SELECT h.image,
       COUNT(DISTINCT c.customer || '/' || c.host) AS machines,
       COUNT(DISTINCT h.case_id) AS captures,
       SUM(h.ports) AS ports,
       MAX(h.ports) AS most_ports,
       ROUND(MAX(h.share_of_pool), 4) AS most_of_pool
FROM holders h
JOIN cases c ON c.case_id = h.case_id
WHERE c.state = 'exhausted' AND h.image IS NOT NULL
GROUP BY h.image
ORDER BY ports DESC, h.image
LIMIT 20
