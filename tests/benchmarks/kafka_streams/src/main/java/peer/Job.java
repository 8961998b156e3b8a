package peer;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.PropertyNamingStrategies;
import com.fasterxml.jackson.databind.json.JsonMapper;
import java.util.Map;

/**
 * What a run is asked to do: a JSON object of the same names in snake_case; all of them must be given.
 *
 * @param job sum or ledger
 * @param mode count (run until `records` are committed, and say how long it took), serve (run until killed) or
 *     restore (rebuild the stores from their changelogs, and say how long it took)
 * @param applicationId consumer group, and prefix of the changelogs
 * @param source topic of the input
 * @param caching whether a row that changes several times between two commits is written once, and said once
 * @param schemaIds full record name -> id of its newest schema
 * @param records input records to apply
 * @param warmupRecords how many of them are applied before the clock starts
 */
record Job(
    String job,
    String mode,
    String bootstrapServers,
    String applicationId,
    String stateDir,
    String source,
    int partitions,
    int commitIntervalMs,
    boolean caching,
    Map<String, Integer> schemaIds,
    long records,
    long warmupRecords) {

  /** Returns the job of a JSON text; throws IllegalArgumentException if it is none. */
  static Job of(String json) {
    var mapper =
        JsonMapper.builder()
            .propertyNamingStrategy(PropertyNamingStrategies.SNAKE_CASE)
            .enable(DeserializationFeature.FAIL_ON_NULL_CREATOR_PROPERTIES)
            .enable(DeserializationFeature.FAIL_ON_MISSING_CREATOR_PROPERTIES)
            .build();
    try {
      return mapper.readValue(json, Job.class);
    } catch (JsonProcessingException error) {
      throw new IllegalArgumentException(error.getOriginalMessage(), error);
    }
  }
}
