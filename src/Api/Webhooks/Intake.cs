using System.Diagnostics;
using System.Runtime.ExceptionServices;
using MediatR;
using Microsoft.Net.Http.Headers;
using WebhookService.Api.Errors;
using WebhookService.Application.Brokers;
using WebhookService.Application.Common;
using WebhookService.Application.Quarantine;
using WebhookService.Domain;

namespace WebhookService.Api.Webhooks;

/// <summary>
/// The one way in for webhooks, whoever hands them over: translates, sends the commands, and keeps in quarantine what nothing could be made
/// of. When it answers, all of that is on disk.
/// </summary>
internal sealed partial class Intake(IMediator mediator, WebhookSources sources, IngestWatch ingest, ServiceMetrics metrics, ILogger<Intake> logger)
{
    /// <summary>So many elements of an array are on their way at once: enough for one large transaction, too few to fill the queue.</summary>
    private const int Window = 512;

    private static readonly Mistake FailedMistake = new("The service failed to process it; the log says why.");

    /// <summary>Takes a webhook in. It can't be cancelled: a sender that hung up will send again, and then hears "duplicate".</summary>
    /// <exception cref="OverloadedException">Not everything was taken; the sender should send it again.</exception>
    /// <exception cref="ApiException">There is no such source, or the webhook is not genuine.</exception>
    /// <param name="requestId">For log lines.</param>
    public async Task<IntakeResult> TakeAsync(
        string source, IHeaderDictionary headers, string? contentType, ReadOnlyMemory<byte> body, DateTimeOffset receivedAt, string requestId)
    {
        var result = new IntakeResult(requestId);
        try
        {
            await TranslateAsync(source, headers, contentType, body, receivedAt, result);
            if (result.Refused > 0) await KeepAsync(source, contentType, body, receivedAt, result);
        }
        catch (OverloadedException)
        {
            ingest.Refused();
            throw;
        }
        if (sources.Get(source).Kind is EmqxSource) ingest.Heard();
        return result;
    }

    /// <summary>Tries a body from quarantine again, as the program and its configuration are now. What is wrong still is told, not kept once more.</summary>
    public async Task<IntakeResult> RetryAsync(QuarantinedBody kept, DateTimeOffset now, string requestId)
    {
        var (about, result) = (kept.About, new IntakeResult(requestId));
        await TranslateAsync(about.Source, new HeaderDictionary(), about.ContentType, kept.Body, about.ReceivedAt, result);
        if (result.Taken == 0 && result.Mistakes.Count > 0)
        {
            await mediator.Send(new NoteQuarantineAttempt(about.Id, result.Mistakes[0].Mistake.Reason, now), CancellationToken.None);
            return result;
        }

        await KeepAsync(about.Source, about.ContentType, kept.Body, about.ReceivedAt, result);
        await mediator.Send(new ReleaseFromQuarantine(about.Id), CancellationToken.None);
        return result;
    }

    /// <summary>Keeps the beginning of a body that is too large to be read.</summary>
    public Task<long> KeepTooLargeAsync(string source, string? contentType, ReadOnlyMemory<byte> beginning, int limit, DateTimeOffset receivedAt)
    {
        metrics.Quarantined(source, RefusalCodes.TooLarge);
        return mediator.Send(
            new QuarantineBody(source, RefusalCodes.TooLarge, $"The body is larger than {limit} bytes (Ingest:MaxBodyBytes).", null, contentType,
                beginning.ToArray(), Truncated: true, receivedAt),
            CancellationToken.None);
    }

    private Task TranslateAsync(
        string source, IHeaderDictionary headers, string? contentType, ReadOnlyMemory<byte> body, DateTimeOffset receivedAt, IntakeResult result)
    {
        var found = sources.Get(source);
        Translation translation;
        try
        {
            translation = found.Kind.Translate(new Webhook(found.Name, found.Options, headers, body, receivedAt));
        }
        catch (Exception fault) // whatever it is: no mistake of ours may lose a body
        {
            NotRead(fault, found.Name, result.RequestId);
            result.Refuse(body, RefusalCodes.Failed, FailedMistake);
            return Task.CompletedTask;
        }

        switch (translation)
        {
            case Translation.Understood { Elements: IReadOnlyList<Element> { Count: <= Window } few }: // mostly one
                return SendAsync(found.Name, few, result);
            case Translation.Understood many:
                return SendManyAsync(found.Name, many.Elements, body, result);
            case Translation.Malformed whole:
                if (Encoded(headers) is { } encoded) result.Refuse(body, RefusalCodes.UnsupportedMediaType, encoded);
                else result.Refuse(body, IsNoJson(contentType) && !LooksLikeJson(body) ? RefusalCodes.UnsupportedMediaType : RefusalCodes.Malformed, whole.Mistake);
                return Task.CompletedTask;
            case Translation.Refused refused:
                throw new ApiException(new(401, "not-genuine", "Unauthorized") { Detail = refused.Reason });
            default:
                throw new UnreachableException();
        }
    }

    private async Task SendManyAsync(string source, IEnumerable<Element> elements, ReadOnlyMemory<byte> body, IntakeResult result)
    {
        using var all = elements.GetEnumerator();
        var some = new List<Element>();
        do
        {
            some.Clear();
            if (Read(all, some) is { } fault)
            {
                NotRead(fault, source, result.RequestId);
                result.Refuse(body, RefusalCodes.Failed, FailedMistake);
            }
            await SendAsync(source, some, result);
        }
        while (some.Count == Window);
    }

    /// <summary>Fills the window. What the translator failed at ends the elements, and is the answer.</summary>
    private static Exception? Read(IEnumerator<Element> elements, List<Element> some)
    {
        try
        {
            while (some.Count < Window && elements.MoveNext()) some.Add(elements.Current);
            return null;
        }
        catch (Exception fault)
        {
            return fault;
        }
    }

    /// <summary>Sends in order; the writer keeps that order. One element that fails stops no other.</summary>
    private async Task SendAsync(string source, IReadOnlyList<Element> elements, IntakeResult result)
    {
        var sent = new Task<Outcome>?[elements.Count];
        for (var i = 0; i < elements.Count; i++)
            if (elements[i].Command is { } command) sent[i] = SendAsync(command);

        OverloadedException? overload = null;
        for (var i = 0; i < elements.Count; i++)
        {
            if (elements[i].Mistake is { } mistake) result.Refuse(elements[i].Bytes, RefusalCodes.Malformed, mistake);
            else if (sent[i] is not { } answer) result.Ignored++;
            else
            {
                try
                {
                    var outcome = await answer;
                    metrics.Received(source, elements[i].Event, outcome);
                    if (outcome is Outcome.Repeated) result.Duplicates++;
                    else result.Accepted++;
                }
                catch (OverloadedException full)
                {
                    overload = full; // told when the others are through
                }
                catch (DomainException refused)
                {
                    result.Refuse(elements[i].Bytes, RefusalCodes.Malformed, new(refused.Message, refused.Parameter));
                }
                catch (Exception fault) when (fault is not OperationCanceledException)
                {
                    Failed(fault, elements[i].Command!.GetType().Name, result.RequestId);
                    result.Refuse(elements[i].Bytes, RefusalCodes.Failed, FailedMistake);
                }
            }
        }
        if (overload is not null) ExceptionDispatchInfo.Throw(overload);
    }

    /// <summary>Throws nothing itself, before the others are sent.</summary>
    private Task<Outcome> SendAsync(ICommand command)
    {
        try
        {
            return mediator.Send(command, CancellationToken.None);
        }
        catch (Exception fault)
        {
            return Task.FromException<Outcome>(fault);
        }
    }

    private async Task KeepAsync(string source, string? contentType, ReadOnlyMemory<byte> body, DateTimeOffset receivedAt, IntakeResult result)
    {
        IReadOnlyList<RefusedPart> kept = result.Refused <= IntakeResult.KeptSingly ? result.Mistakes : [result.Mistakes[0] with { Bytes = body }];
        foreach (var one in kept) metrics.Quarantined(source, one.Code);
        result.Keep(await Task.WhenAll(kept.Select(one => mediator.Send(
            new QuarantineBody(source, one.Code, one.Mistake.Reason, one.Mistake.Parameter, contentType, one.Bytes.ToArray(), Truncated: false, receivedAt),
            CancellationToken.None))));
    }

    /// <summary>Why a body that nothing could be made of is none: it was compressed. One that says so and is plain JSON was taken.</summary>
    private static Mistake? Encoded(IHeaderDictionary headers)
    {
        var encoding = headers.ContentEncoding.ToString();
        return encoding.Length == 0 || encoding.Equals("identity", StringComparison.OrdinalIgnoreCase)
            ? null
            : new($"The body comes with Content-Encoding '{encoding}'; encoded bodies are not read here.", HeaderNames.ContentEncoding);
    }

    private static bool LooksLikeJson(ReadOnlyMemory<byte> body) =>
        RawJson.WithoutMark(body).Span.TrimStart(" \t\r\n"u8) is [(byte)'{' or (byte)'[', ..];

    /// <summary>Types that can't be JSON. All others may be: brokers and proxies send odd ones, or none.</summary>
    private static bool IsNoJson(string? contentType)
    {
        var type = contentType.AsSpan();
        type = (type.IndexOf(';') is >= 0 and var end ? type[..end] : type).Trim();
        return type.StartsWith("multipart/", StringComparison.OrdinalIgnoreCase)
            || type.StartsWith("image/", StringComparison.OrdinalIgnoreCase)
            || type.StartsWith("audio/", StringComparison.OrdinalIgnoreCase)
            || type.StartsWith("video/", StringComparison.OrdinalIgnoreCase)
            || type.StartsWith("font/", StringComparison.OrdinalIgnoreCase)
            || type.EndsWith("/xml", StringComparison.OrdinalIgnoreCase)
            || type.EndsWith("+xml", StringComparison.OrdinalIgnoreCase)
            || type.Equals("text/html", StringComparison.OrdinalIgnoreCase)
            || type.Equals("text/csv", StringComparison.OrdinalIgnoreCase)
            || type.Equals("application/x-www-form-urlencoded", StringComparison.OrdinalIgnoreCase)
            || type.Equals("application/pdf", StringComparison.OrdinalIgnoreCase)
            || type.Equals("application/zip", StringComparison.OrdinalIgnoreCase)
            || type.Equals("application/gzip", StringComparison.OrdinalIgnoreCase);
    }

    [LoggerMessage(LogLevel.Error, "{Command} failed; the body it came from is in quarantine (request {RequestId})")]
    private partial void Failed(Exception fault, string command, string requestId);

    [LoggerMessage(LogLevel.Error, "Reading a webhook of source {Source} failed; its body is in quarantine (request {RequestId})")]
    private partial void NotRead(Exception fault, string source, string requestId);
}

/// <summary>What became of a webhook's elements.</summary>
internal sealed class IntakeResult(string requestId)
{
    /// <summary>Wrong elements of one body that are kept one by one. With more the whole body is kept, once: repeating its good elements is harmless.</summary>
    public const int KeptSingly = 100;

    private List<RefusedPart>? mistakes; // of most bodies there are none
    private List<long>? quarantined;

    /// <summary>Of the request that it is the result of, for log lines.</summary>
    public string RequestId { get; } = requestId;

    /// <summary>News, also such as a later fact has overtaken.</summary>
    public int Accepted { get; set; }

    /// <summary>Known already.</summary>
    public int Duplicates { get; set; }

    /// <summary>Valid, but nothing to keep.</summary>
    public int Ignored { get; set; }

    /// <summary>How many elements nothing could be made of.</summary>
    public int Refused { get; private set; }

    /// <summary>The first <see cref="KeptSingly"/> of them, each with its own bytes.</summary>
    public IReadOnlyList<RefusedPart> Mistakes => mistakes ?? None<RefusedPart>();

    /// <summary>The numbers in quarantine of what was kept of them.</summary>
    public IReadOnlyList<long> Quarantined => quarantined ?? None<long>();

    public int Taken => Accepted + Duplicates + Ignored;

    public void Refuse(ReadOnlyMemory<byte> bytes, string code, Mistake mistake)
    {
        Refused++;
        if (Mistakes.Count < KeptSingly) (mistakes ??= []).Add(new(bytes, code, mistake));
    }

    public void Keep(IEnumerable<long> numbers) => (quarantined ??= []).AddRange(numbers);

    /// <summary>`[]` beside a list would be a new list.</summary>
    private static IReadOnlyList<T> None<T>() => [];
}

/// <summary>Bytes that nothing could be made of. <paramref name="Code"/> is one of <see cref="RefusalCodes"/>.</summary>
internal sealed record RefusedPart(ReadOnlyMemory<byte> Bytes, string Code, Mistake Mistake);

/// <summary>The stable words for why a body is in quarantine; also the codes of the problem that its sender got.</summary>
internal static class RefusalCodes
{
    public const string Malformed = "malformed";
    public const string TooLarge = "too-large";
    public const string UnsupportedMediaType = "unsupported-media-type";

    /// <summary>Our fault: the body was understood, but processing it failed.</summary>
    public const string Failed = "failed";
}
