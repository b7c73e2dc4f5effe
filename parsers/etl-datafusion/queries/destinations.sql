-- Destinations that several hosts have sockets to. Addresses that mean another machine on each host are left out.
SELECT d.remote, d.port,
       COUNT(DISTINCT c.customer || '/' || c.host) AS machines,
       SUM(d.sockets) AS sockets,
       SUM(d.connects) AS connects
FROM destinations d
JOIN cases c ON c.case_id = d.case_id
WHERE d.remote NOT LIKE '127.%' AND d.remote <> '::1'
GROUP BY d.remote, d.port
HAVING COUNT(DISTINCT c.customer || '/' || c.host) > 1
ORDER BY machines DESC, sockets DESC NULLS LAST, d.remote, d.port NULLS LAST
LIMIT 20
