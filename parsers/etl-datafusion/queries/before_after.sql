-- Before and after: each capture of a host beside the one before it.
WITH ordered AS (
  SELECT customer, host, path, state, suspect_image, bind_failures + connect_failures AS failures, seconds,
         ROW_NUMBER() OVER (PARTITION BY customer, host ORDER BY started NULLS LAST, path) AS nr
  FROM cases
  WHERE duplicate_of IS NULL AND state IS NOT NULL
)
SELECT b.customer, b.host,
       b.path AS path_before, a.path AS path_after,
       b.state AS state_before, a.state AS state_after,
       a.failures - b.failures AS more_failures,
       ROUND(a.seconds - b.seconds, 4) AS more_seconds,
       b.suspect_image AS suspect_before, a.suspect_image AS suspect_after
FROM ordered b
JOIN ordered a ON a.customer = b.customer AND a.host = b.host AND a.nr = b.nr + 1
ORDER BY b.customer, b.host, b.nr
