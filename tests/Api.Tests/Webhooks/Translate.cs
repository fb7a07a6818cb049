using System.Text;
using Microsoft.AspNetCore.Http;
using WebhookService.Api.Webhooks;
using WebhookService.Application.Common;

namespace WebhookService.Api.Tests.Webhooks;

/// <summary>How translation tests ask a source.</summary>
internal static class Translate
{
    public static readonly DateTimeOffset Arrival = Ms(1_767_225_700_000);

    public static DateTimeOffset Ms(long ms) => DateTimeOffset.FromUnixTimeMilliseconds(ms);

    /// <summary>The one command that EMQX's body becomes.</summary>
    public static T Emqx<T>(string body, string encoding = PayloadEncoding.Plain)
        where T : ICommand
    {
        var element = Assert.Single(Elements(Emqx(body, encoding)));
        Assert.True(element.Mistake is null, element.Mistake?.Reason);
        return Assert.IsType<T>(element.Command);
    }

    /// <summary>The parameter named as the mistake of EMQX's body, after checking that there is one.</summary>
    public static string? MistakeIn(string body, string encoding = PayloadEncoding.Plain)
    {
        var element = Assert.Single(Elements(Emqx(body, encoding)));
        Assert.NotNull(element.Mistake);
        Assert.Null(element.Command);
        return element.Mistake.Parameter;
    }

    public static Translation Emqx(string body, string encoding = PayloadEncoding.Plain) => Emqx(Encoding.UTF8.GetBytes(body), encoding);

    public static Translation Emqx(byte[] body, string encoding = PayloadEncoding.Plain) =>
        new EmqxSource().Translate(new Webhook("emqx", new SourceOptions { PayloadEncoding = encoding }, new HeaderDictionary(), body, Arrival));

    public static Translation PlainJson(string body, SourceOptions options, IHeaderDictionary? headers = null) =>
        new JsonSource().Translate(new Webhook("shop", options, headers ?? new HeaderDictionary(), Encoding.UTF8.GetBytes(body), Arrival));

    public static IReadOnlyList<Element> Elements(Translation translation) => [.. Assert.IsType<Translation.Understood>(translation).Elements];

    public static string Whole(Translation translation) => Assert.IsType<Translation.Malformed>(translation).Mistake.Reason;
}
