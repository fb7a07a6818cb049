namespace WebhookService.Domain;

/// <summary>What a reported fact did to an aggregate. Reports repeat and overtake one another, so none of these is an error.</summary>
public enum Outcome
{
    /// <summary>News: the aggregate changed.</summary>
    Applied,

    /// <summary>Known already: nothing changed.</summary>
    Repeated,

    /// <summary>A later fact, known already, says more: kept for the record where there is one, the state stayed.</summary>
    Overtaken,
}
