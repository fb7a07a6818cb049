namespace WebhookService.Api.Errors;

/// <summary>Refuses a query parameter that is given twice: binding takes the first and forgets the others.</summary>
internal static class RepeatedQuery
{
    /// <exception cref="ApiException">A parameter is given more than once.</exception>
    public static void Refuse(IQueryCollection query)
    {
        if (query.FirstOrDefault(given => given.Value.Count > 1).Key is { } twice)
            throw ApiException.BadRequest("repeated-parameter", $"'{twice}' is given more than once.", twice, "Give it once; where several values are taken, put commas between them.");
    }
}
