-- Verdicts that rest on weak evidence: of low confidence, or with no holder that is known better than by the grade D.
WITH best AS (
  SELECT case_id, MIN(evidence) AS evidence, COUNT(*) AS holders FROM holders GROUP BY case_id
)
SELECT c.path, c.state, c.confidence, c.suspect, b.evidence AS best_evidence, COALESCE(b.holders, 0) AS holders
FROM cases c
LEFT JOIN best b ON b.case_id = c.case_id
WHERE c.state IN ('exhausted', 'near') AND c.duplicate_of IS NULL
  AND (c.confidence = 'low' OR b.evidence IS NULL OR b.evidence >= 'D')
ORDER BY c.path
