namespace WebhookService.Api.Errors;

/// <summary>Ends a request with a problem document. Thrown where the flow of a controller cannot go on.</summary>
internal sealed class ApiException(Problem problem, Exception? cause = null) : Exception(problem.Detail ?? problem.Title, cause)
{
    public Problem Problem { get; } = problem;

    public static ApiException NotFound(string detail, string? hint = null) => new(new(404, "not-found", "Not Found") { Detail = detail, Hint = hint });

    /// <summary>The caller's <c>If-Match</c> names a version that is no longer the current one.</summary>
    public static ApiException PreconditionFailed(string detail) =>
        new(new(412, "precondition-failed", "Precondition Failed") { Detail = detail, Parameter = "If-Match", Hint = "Read it again and send its ETag as If-Match." });

    public static ApiException PreconditionRequired(string detail) =>
        new(new(428, "precondition-required", "Precondition Required") { Detail = detail, Parameter = "If-Match", Hint = "Read it first and send its ETag as If-Match." });

    public static ApiException Conflict(string code, string detail, string hint) => new(new(409, code, "Conflict") { Detail = detail, Hint = hint });

    public static ApiException BadRequest(string code, string detail, string? parameter = null, string? hint = null) =>
        new(Problem.BadRequest(code, detail, parameter, hint));
}
