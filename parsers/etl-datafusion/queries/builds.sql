-- Per version: of Windows, for the image that a verdict names. No trace that the tables are made from has the version of an image
-- itself, so none is shown.
SELECT suspect_image AS image, os_build,
       COUNT(*) AS captures,
       SUM(CASE WHEN state = 'exhausted' THEN 1 ELSE 0 END) AS exhausted,
       SUM(bind_failures) AS bind_failures
FROM cases
WHERE suspect_image IS NOT NULL AND duplicate_of IS NULL
GROUP BY suspect_image, os_build
ORDER BY bind_failures DESC NULLS LAST, image, os_build NULLS LAST
